//! Entity tags, without their quotes.
//!
//! [`PlainETag`] is what a client sees (the plaintext MD5, or `md5-of-md5s-N`); [`SealedETag`] is what a
//! site answers for the sealed bytes. Comparing one with the other is a compile error.
use std::sync::Arc;

/// The ETag a client sees, unquoted: 32 hex digits, or 32 hex digits, `-` and the number of parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PlainETag(Arc<str>);

/// The ETag a site gave to sealed bytes, unquoted and opaque.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealedETag(Arc<str>);

// === impl PlainETag ===

impl PlainETag {
    /// The ETag of a single PUT: the MD5 of the plaintext.
    pub fn from_md5(md5: [u8; 16]) -> Self {
        Self(hex::encode(md5).into())
    }

    /// The ETag of a multipart upload: the MD5 over the parts' MD5s, and how many parts there are.
    pub fn from_part_md5s(md5_of_md5s: [u8; 16], parts: u32) -> Self {
        Self(format!("{}-{parts}", hex::encode(md5_of_md5s)).into())
    }

    /// From text, without quotes: 32 hex digits, perhaps `-` and a number.
    pub fn parse(text: &str) -> Option<Self> {
        let (md5, parts) = text.split_once('-').map_or((text, None), |(md5, parts)| (md5, Some(parts)));
        let hex = md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let counted = parts.is_none_or(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        (hex && counted).then(|| Self(text.into()))
    }

    /// The ETag of an object that is not sealed: clients know it by the site's own.
    pub fn of_unsealed(etag: &SealedETag) -> Self {
        Self(etag.0.clone())
    }

    /// How many parts the tag says that there are; `None` for the tag of a single PUT.
    pub fn part_count(&self) -> Option<u32> {
        self.0.split_once('-')?.1.parse().ok()
    }

    /// The MD5 that the tag is, where it is one.
    pub fn md5(&self) -> Option<[u8; 16]> {
        let mut md5 = [0; 16];
        hex::decode_to_slice(self.0.as_bytes(), &mut md5).ok().map(|()| md5)
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag in quotes, as it travels in headers and XML.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

// === impl SealedETag ===

impl SealedETag {
    /// From what a backend answered, with or without quotes (some leave them out).
    pub fn from_backend(raw: &str) -> Self {
        Self(raw.trim_matches('"').into())
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag in quotes.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_kept_without_quotes_and_travel_with_them() {
        assert_eq!(SealedETag::from_backend("\"abc\""), SealedETag::from_backend("abc"));
        assert_eq!(SealedETag::from_backend("abc").quoted(), "\"abc\"");
        assert_eq!(PlainETag::from_part_md5s([0; 16], 3).part_count(), Some(3));
        assert_eq!(PlainETag::from_md5([7; 16]).md5(), Some([7; 16]));
        assert_eq!(PlainETag::from_part_md5s([0; 16], 3).md5(), None);
        assert_eq!(PlainETag::from_part_md5s([0; 16], 3).quoted(), format!("\"{}-3\"", "0".repeat(32)));
    }
}
