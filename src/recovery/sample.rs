//! Which objects a sample holds: decided by a hash of seed and name, so that the same seed gives the same sample in any
//! order of work, at any site, and anybody can check the choice.
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How much is looked at closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Depth {
    /// Listings only.
    Listing,
    /// This share of the objects, 0 to 1.
    Share(f64, Seed),
    /// Every object.
    All,
}

/// What a sample depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// The `size` objects with the smallest numbers of all that were offered; memory for those only.
pub struct Smallest<T> {
    size: usize,
    seed: Seed,
    kept: BTreeSet<(u64, T)>,
}

// === impl Seed ===

impl Seed {
    /// The object's number: the first 8 bytes of `SHA-256("strongroom/v1/sample" || 0 || seed || bucket || 0 || key)`, big-endian.
    pub fn number(self, bucket: &str, key: &str) -> u64 {
        let hash = Sha256::new()
            .chain_update(b"strongroom/v1/sample\0")
            .chain_update(self.0.to_be_bytes())
            .chain_update(bucket)
            .chain_update(b"\0")
            .chain_update(key)
            .finalize();
        u64::from_be_bytes(std::array::from_fn(|i| hash[i]))
    }
}

// === impl Depth ===

impl Depth {
    /// Whether this object's content is read.
    pub fn includes(self, bucket: &str, key: &str) -> bool {
        match self {
            Self::Listing => false,
            Self::All => true,
            Self::Share(share, seed) => seed.number(bucket, key) as f64 <= share * u64::MAX as f64 && share > 0.0,
        }
    }
}

// === impl Smallest ===

impl<T: Ord> Smallest<T> {
    /// An empty sample that will hold at most `size`.
    pub fn new(size: usize, seed: Seed) -> Self {
        Self { size, seed, kept: BTreeSet::new() }
    }

    /// Offers one object.
    pub fn offer(&mut self, bucket: &str, key: &str, item: T) {
        self.kept.insert((self.seed.number(bucket, key), item));
        if self.kept.len() > self.size {
            self.kept.pop_last();
        }
    }

    /// The sample, in the order of the numbers.
    pub fn into_items(self) -> impl Iterator<Item = T> {
        self.kept.into_iter().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_met_and_is_the_same_for_the_same_seed() {
        let chosen = |share, seed| {
            let depth = Depth::Share(share, Seed(seed));
            (0..20_000).filter(|i| depth.includes("docs", &format!("key-{i}"))).collect::<Vec<_>>()
        };
        let tenth = chosen(0.1, 1);
        assert!((1_800..2_200).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, chosen(0.1, 1));
        assert_ne!(tenth, chosen(0.1, 2));
        assert_eq!((chosen(0.0, 1).len(), chosen(1.0, 1).len()), (0, 20_000));
        assert!(Depth::All.includes("a", "b") && !Depth::Listing.includes("a", "b"));
    }

    #[test]
    fn the_smallest_do_not_depend_on_the_order_in_which_they_are_offered() {
        let sample = |keys: &mut dyn Iterator<Item = u32>| {
            let mut smallest = Smallest::new(5, Seed(7));
            keys.for_each(|key| smallest.offer("docs", &key.to_string(), key));
            smallest.into_items().collect::<Vec<_>>()
        };
        let forwards = sample(&mut (0..1000));
        assert_eq!((forwards.len(), forwards), (5, sample(&mut (0..1000).rev())));
    }
}
