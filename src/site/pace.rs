//! How fast a site usually answers: a small histogram of the time to the head of its answers to reads, in which
//! what is long ago fades. It says when a read is slow enough to ask another site as well.
use super::Site;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Bucket `i` ends at `2^(i/2)` milliseconds: 1 ms to 46 s, each 1.41 times the one before.
const BUCKETS: usize = 32;
/// Fewer answers than this say nothing about a percentile.
const ENOUGH: u32 = 100;
/// So many answers, and each count is halved: the last few thousand decide.
const FADE_AT: u32 = 4000;

/// When a read is so slow that another site is asked as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// Slower than so many of 100 recent reads of that site, 50 to 99.
    pub percentile: u32,
    /// Never sooner than this.
    pub floor: Duration,
}

/// The answers so far. No lock: a count that is lost in a race is one in thousands.
#[derive(Debug, Default)]
pub(super) struct Pace {
    counts: [AtomicU32; BUCKETS],
    total: AtomicU32,
}

// === impl Hedge ===

impl Hedge {
    /// How long this site is waited for alone; `None`, for as long as it takes, while too little is known of it.
    pub fn patience_with(&self, site: &Site) -> Option<Duration> {
        site.inner.pace.percentile(self.percentile).map(|usual| usual.max(self.floor))
    }
}

// === impl Pace ===

impl Pace {
    /// An answer came after this long.
    pub(super) fn answered(&self, after: Duration) {
        self.counts[bucket(after)].fetch_add(1, Ordering::Relaxed);
        if self.total.fetch_add(1, Ordering::Relaxed) + 1 == FADE_AT {
            self.fade();
        }
    }

    fn fade(&self) {
        let mut total = 0;
        for count in &self.counts {
            let half = count.load(Ordering::Relaxed) / 2;
            count.store(half, Ordering::Relaxed);
            total += half;
        }
        self.total.store(total, Ordering::Relaxed);
    }

    /// The time within which `percentile` of 100 answers came, rounded up to a bucket's end. `None` while too few are known.
    pub(super) fn percentile(&self, percentile: u32) -> Option<Duration> {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let total: u32 = counts.iter().sum();
        if total < ENOUGH {
            return None;
        }
        let wanted = (u64::from(total) * u64::from(percentile.min(100))).div_ceil(100);
        let mut seen = 0u64;
        let reached = counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        reached.map(end_of)
    }
}

fn bucket(after: Duration) -> usize {
    (0..BUCKETS).find(|bucket| after <= end_of(*bucket)).unwrap_or(BUCKETS - 1)
}

fn end_of(bucket: usize) -> Duration {
    let whole = Duration::from_millis(1 << (bucket / 2));
    if bucket.is_multiple_of(2) { whole } else { whole.mul_f64(std::f64::consts::SQRT_2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn too_few_answers_say_nothing() {
        let pace = Pace::default();
        (1..ENOUGH).for_each(|_| pace.answered(millis(5)));
        assert_eq!(pace.percentile(99), None);
        pace.answered(millis(5));
        assert!(pace.percentile(99).is_some());
    }

    #[test]
    fn a_percentile_is_within_one_bucket() {
        let pace = Pace::default();
        (1..=1000).for_each(|n| pace.answered(millis(n)));
        for (percentile, exact) in [(50, 500), (90, 900), (99, 990)] {
            let found = pace.percentile(percentile).expect("enough");
            assert!(found >= millis(exact) && found.as_secs_f64() < exact as f64 * 1.5 / 1000.0, "{found:?}");
        }
    }

    #[test]
    fn what_is_long_ago_fades() {
        let pace = Pace::default();
        (0..2000).for_each(|_| pace.answered(millis(1000)));
        (0..40_000).for_each(|_| pace.answered(millis(2)));
        assert!(pace.percentile(99).expect("enough") < millis(4));
    }

    #[test]
    fn any_time_has_a_bucket() {
        for after in [Duration::ZERO, millis(1), Duration::from_secs(40), Duration::MAX] {
            assert!(bucket(after) < BUCKETS);
        }
        assert!((1..BUCKETS).all(|n| end_of(n) > end_of(n - 1)));
    }
}
