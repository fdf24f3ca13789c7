//! What a rule asks of the objects and requests that it is for.
use super::{Anonymous, Deletes, KeyTemplate, MetadataForm, PolicyError, Replication, Retention, Unsealed};
use crate::s3::Suite;

/// Everything a rule says but its name, pattern and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What new objects are sealed with.
    pub suite: Suite,
    /// Replication mode.
    pub replication: Replication,
    /// What a delete does to the backups.
    pub deletes: Deletes,
    /// How long new objects are kept at sites that have object lock.
    pub retention: Option<Retention>,
    /// Objects that are not sealed.
    pub unsealed: Unsealed,
    /// User metadata and content headers.
    pub metadata: MetadataForm,
    /// How sensitive the objects are, in the operator's own word.
    pub classification: Option<String>,
    /// Largest object, bytes of plaintext; `None`: what S3 takes.
    pub max_size: Option<u64>,
    /// Whether a request over plain HTTP is denied.
    pub require_tls: bool,
    /// Requests without a signature.
    pub anonymous: Anonymous,
    /// The content types that are taken; empty: all.
    pub content_types: Vec<MediaRange>,
    /// Vault keys that clients may ask for, besides the rule's own.
    pub client_keys: Vec<KeyTemplate>,
}

/// `application/pdf`, `image/*` or `*/*`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRange {
    kind: String,
    subtype: String,
}

/// What S3 stores as the type of an object that came without one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>).
const UNTYPED: &str = "binary/octet-stream";

// === impl Terms ===

impl Terms {
    /// Whether an object of this `Content-Type` is taken.
    pub fn takes_type(&self, content_type: Option<&str>) -> bool {
        let given = content_type.unwrap_or(UNTYPED);
        self.content_types.is_empty() || self.content_types.iter().any(|range| range.takes(given))
    }
}

// === impl MediaRange ===

impl MediaRange {
    /// Reads `type/subtype`, each of which may be `*`.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b);
        let word = |part: &str| part == "*" || (!part.is_empty() && part.bytes().all(token));
        match text.to_ascii_lowercase().split_once('/') {
            Some((kind, subtype)) if word(kind) && word(subtype) && (kind != "*" || subtype == "*") => {
                Ok(Self { kind: kind.to_owned(), subtype: subtype.to_owned() })
            }
            _ => Err(PolicyError(format!(
                "{text:?} is no content type; write for example \"application/pdf\" or \"image/*\", without parameters (an object's own never count)"
            ))),
        }
    }

    /// Whether a `Content-Type` is one of these, whatever its parameters.
    pub fn takes(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let Some((kind, subtype)) = essence.split_once('/') else { return self.kind == "*" };
        let same = |ours: &str, given: &str| ours == "*" || ours.eq_ignore_ascii_case(given);
        same(&self.kind, kind) && same(&self.subtype, subtype)
    }
}

impl std::fmt::Display for MediaRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.subtype)
    }
}

/// Whether a classification is a word that can stand in logs: 1 to 32 of `a-z0-9._-`.
pub fn is_word(text: &str) -> bool {
    let legal = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_compared_without_case_and_parameters() {
        let takes = |range: &str, given: &str| MediaRange::parse(range).is_ok_and(|range| range.takes(given));
        assert!(takes("application/pdf", "Application/PDF"));
        assert!(takes("text/*", "text/plain; charset=utf-8"));
        assert!(takes("*/*", "anything"));
        assert!(!takes("image/*", "text/html"));
        assert!(!takes("image/*", "image"));
        assert!(!takes("image/png", "image/png2"));
        for bad in ["", "image", "*/png", "image/", "/png", "im age/png", "image/png;q=1", "a/b/c"] {
            assert!(MediaRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_object_without_a_type_has_the_one_that_s3_gives_it() {
        let only =
            |text: &str| Terms { content_types: MediaRange::parse(text).into_iter().collect(), ..Terms::default() };
        assert!(only("binary/*").takes_type(None));
        assert!(!only("image/*").takes_type(None));
        assert!(Terms::default().takes_type(None));
    }
}
