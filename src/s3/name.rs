//! Bucket names and object keys, checked once at the edge.
use std::sync::Arc;

/// A bucket's name as the client gives it, valid by S3's naming rules (3-63 of `a-z0-9.-`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketName(Arc<str>);

/// An object's key: 1 to 1,024 bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

/// Why a name was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// Not a bucket name by S3's rules.
    #[error("the specified bucket name is not valid")]
    Bucket,
    /// An empty key.
    #[error("the object key is empty")]
    EmptyKey,
    /// More than 1,024 bytes.
    #[error("the object key is longer than 1,024 bytes")]
    KeyTooLong,
}

// === impl BucketName ===

impl BucketName {
    /// Parses by the rules of
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let ok_len = (3..=63).contains(&name.len());
        let ok_bytes = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        let ok_labels = name.split('.').all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'));
        let looks_like_ip = name.parse::<std::net::Ipv4Addr>().is_ok();
        if ok_len && ok_bytes && ok_labels && !looks_like_ip { Ok(Self(name.into())) } else { Err(NameError::Bucket) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for BucketName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl ObjectKey ===

impl ObjectKey {
    /// Parses a key; any UTF-8 of 1 to 1,024 bytes is legal.
    pub fn parse(key: &str) -> Result<Self, NameError> {
        match key.len() {
            0 => Err(NameError::EmptyKey),
            1..=1024 => Ok(Self(key.into())),
            _ => Err(NameError::KeyTooLong),
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_s3_rules() {
        for good in ["abc", "a.b.c", "my-bucket-1", &"a".repeat(63)] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "Abc", "a..b", "-abc", "abc-", "192.168.0.1", "a_b", "a/b", "..", &"a".repeat(64)] {
            assert_eq!(BucketName::parse(bad), Err(NameError::Bucket), "{bad}");
        }
    }

    #[test]
    fn keys_hold_up_to_1024_bytes() {
        assert!(ObjectKey::parse(&"字".repeat(341)).is_ok());
        assert_eq!(ObjectKey::parse(&"字".repeat(342)), Err(NameError::KeyTooLong));
        assert_eq!(ObjectKey::parse(""), Err(NameError::EmptyKey));
    }
}
