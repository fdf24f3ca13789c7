//! Under which names an object may have been sealed: a bucket that was renamed, copied to another region or mirrored
//! into a folder of another bucket keeps the names that its trailers are bound to.
use super::{BucketName, ObjectKey};
use std::sync::Arc;

/// What lies below `prefix` in `bucket` was sealed as `sealed_bucket`, below `sealed_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The bucket as it is called now.
    pub bucket: BucketName,
    /// Keys that begin so, now; empty: all.
    pub prefix: String,
    /// The bucket as it was called when the objects were sealed.
    pub sealed_bucket: BucketName,
    /// What stood in the place of `prefix` then.
    pub sealed_prefix: String,
}

/// Every alias of a deployment. Cheap to clone; empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Arc<[Alias]>);

// === impl Alias ===

impl Alias {
    /// `BUCKET[/PREFIX]=SEALED-BUCKET[/SEALED-PREFIX]`, as the command line takes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (now, then) = text.split_once('=')?;
        let place = |text: &str| {
            let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
            Some((BucketName::parse(bucket).ok()?, prefix.to_owned()))
        };
        let ((bucket, prefix), (sealed_bucket, sealed_prefix)) = (place(now)?, place(then)?);
        Some(Self { bucket, prefix, sealed_bucket, sealed_prefix })
    }

    /// The name that `key` in `bucket` had; `None` when the alias is not about it.
    fn name(&self, bucket: &BucketName, key: &ObjectKey) -> Option<(BucketName, ObjectKey)> {
        let rest = key.as_str().strip_prefix(self.prefix.as_str()).filter(|_| *bucket == self.bucket)?;
        let key = ObjectKey::parse(&format!("{}{rest}", self.sealed_prefix)).ok()?;
        Some((self.sealed_bucket.clone(), key))
    }
}

impl std::fmt::Display for Alias {
    /// As [`Alias::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bucket, prefix, sealed_bucket, sealed_prefix } = self;
        write!(f, "{bucket}/{prefix}={sealed_bucket}/{sealed_prefix}")
    }
}

// === impl Aliases ===

impl Aliases {
    /// In the order in which they are tried.
    pub fn new(aliases: Vec<Alias>) -> Self {
        Self(aliases.into())
    }

    /// Every alias.
    pub fn iter(&self) -> impl Iterator<Item = &Alias> {
        self.0.iter()
    }

    /// The other names under which the object may have been sealed.
    pub fn others<'a>(
        &'a self,
        bucket: &'a BucketName,
        key: &'a ObjectKey,
    ) -> impl Iterator<Item = (BucketName, ObjectKey)> + 'a {
        self.0.iter().filter_map(move |alias| alias.name(bucket, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(alias: &str, bucket: &str, key: &str) -> Vec<String> {
        let aliases = Aliases::new(vec![Alias::parse(alias).expect("an alias")]);
        let (bucket, key) = (BucketName::parse(bucket).expect("a bucket"), ObjectKey::parse(key).expect("a key"));
        aliases.others(&bucket, &key).map(|(bucket, key)| format!("{bucket}/{key}")).collect()
    }

    #[test]
    fn a_renamed_bucket_keeps_its_old_name_for_opening() {
        assert_eq!(names("new=old", "new", "a/b"), ["old/a/b"]);
        assert!(names("new=old", "old", "a/b").is_empty());
    }

    #[test]
    fn a_prefix_is_exchanged_for_the_one_it_was_sealed_with() {
        assert_eq!(names("vault/ledgers/=ledgers", "vault", "ledgers/4711/a"), ["ledgers/4711/a"]);
        assert_eq!(names("vault=ledgers/2026/", "vault", "a"), ["ledgers/2026/a"]);
        assert!(names("vault/ledgers/=ledgers", "vault", "other/a").is_empty());
        assert!(names("vault/ledgers/=ledgers", "vault", "ledgers/").is_empty(), "no object has an empty key");
    }

    #[test]
    fn an_alias_is_read_back_as_it_is_written() {
        for text in ["new/=old/", "vault/ledgers/=ledgers/", "vault/=ledgers/2026/"] {
            assert_eq!(Alias::parse(text).map(|alias| alias.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_names_no_two_buckets_is_no_alias() {
        for text in ["", "abc", "abc=", "=abc", "abc=d", "ABC=def"] {
            assert_eq!(Alias::parse(text), None, "{text}");
        }
    }
}
