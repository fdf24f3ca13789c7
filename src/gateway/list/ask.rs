//! What a listing asks for, checked; and where it goes on. PURE.
//!
//! A listing goes on after the last thing that was shown, by name: that works at any site, so a listing that
//! began at the primary can end at a backup. The backend's own tokens are never shown to clients.
use crate::s3::BucketName;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::{S3Error, S3ErrorCode};

/// Most entries in one page, as in S3.
const MAX_KEYS: u32 = 1000;
/// The greatest character: in UTF-8's byte order nothing that a prefix begins comes after the prefix and this.
const LAST_CHAR: char = '\u{10FFFF}';
/// The longest `start-after` that every backend takes, bytes.
const MAX_START: usize = 1024;

/// One page of a listing, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub bucket: BucketName,
    pub prefix: String,
    pub delimiter: Option<String>,
    pub max_keys: u32,
    pub position: Option<Position>,
}

/// The last thing shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Go on with the next key.
    Key(String),
    /// Go on behind everything that begins so.
    Prefix(String),
}

// === impl Ask ===

impl Ask {
    pub(super) fn new(
        bucket: BucketName,
        prefix: Option<String>,
        delimiter: Option<String>,
        max_keys: Option<i32>,
    ) -> Result<Self, S3Error> {
        let max_keys = u32::try_from(max_keys.unwrap_or(MAX_KEYS as i32)).map_err(|_| {
            let message = "Argument maxKeys must be an integer between 0 and 2147483647";
            S3Error::with_message(S3ErrorCode::InvalidArgument, message)
        })?;
        Ok(Self {
            bucket,
            prefix: prefix.unwrap_or_default(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()),
            max_keys: max_keys.min(MAX_KEYS),
            position: None,
        })
    }

    /// From a client's marker (`start-after`, V1's `marker`). One that is a common prefix of this listing stands
    /// for everything behind that prefix: V1 clients send back the last prefix they were shown.
    pub(super) fn after(self, marker: Option<&str>) -> Self {
        let position = marker.filter(|marker| !marker.is_empty()).map(|marker| match self.rolled_up(marker) {
            Some(prefix) if prefix.len() == marker.len() => Position::Prefix(marker.to_owned()),
            _ => Position::Key(marker.to_owned()),
        });
        Self { position, ..self }
    }

    /// From a token of ours.
    pub(super) fn resume(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Whether a page may show this key or common prefix.
    pub(super) fn is_ahead(&self, name: &str) -> bool {
        match &self.position {
            None => true,
            Some(Position::Key(key)) => name > key.as_str() || self.rolled_up(key) == Some(name),
            Some(Position::Prefix(prefix)) => name > prefix.as_str() && !name.starts_with(prefix.as_str()),
        }
    }

    /// The common prefix that a key is shown as, if it is.
    fn rolled_up<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }
}

// === impl Position ===

impl Position {
    /// The name itself (V1's next marker).
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }

    /// What a backend is asked to start after.
    pub(super) fn start_after(&self) -> String {
        match self {
            Self::Prefix(prefix) if prefix.len() + LAST_CHAR.len_utf8() <= MAX_START => format!("{prefix}{LAST_CHAR}"),
            Self::Key(text) | Self::Prefix(text) => text.clone(),
        }
    }

    /// The token of V2: opaque to clients, complete in itself.
    pub(super) fn to_token(&self) -> String {
        let kind = match self {
            Self::Key(_) => 'k',
            Self::Prefix(_) => 'p',
        };
        URL_SAFE_NO_PAD.encode(format!("{kind}{}", self.text()))
    }

    /// Back from [`Self::to_token`].
    pub(super) fn from_token(token: &str) -> Result<Self, S3Error> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        match text.split_at_checked(1) {
            Some(("k", key)) if !key.is_empty() => Ok(Self::Key(key.to_owned())),
            Some(("p", prefix)) if !prefix.is_empty() => Ok(Self::Prefix(prefix.to_owned())),
            _ => {
                let message = "The continuation token provided is incorrect";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prefix: &str, delimiter: Option<&str>) -> Ask {
        let bucket = BucketName::parse("bucket").expect("a valid name");
        Ask::new(bucket, Some(prefix.to_owned()), delimiter.map(str::to_owned), None).expect("a valid listing")
    }

    #[test]
    fn max_keys_is_clamped_to_a_thousand_and_never_negative() {
        let max = |keys| {
            let bucket = BucketName::parse("bucket").expect("a valid name");
            Ask::new(bucket, None, None, keys).map(|ask| ask.max_keys).ok()
        };
        assert_eq!(max(None), Some(1000));
        assert_eq!(max(Some(0)), Some(0));
        assert_eq!(max(Some(7)), Some(7));
        assert_eq!(max(Some(5000)), Some(1000));
        assert_eq!(max(Some(-1)), None);
    }

    #[test]
    fn an_empty_delimiter_is_none() {
        assert_eq!(ask("", Some("")).delimiter, None);
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_skips_all_of_it() {
        let listing = ask("", Some("/")).after(Some("a/"));
        assert_eq!(listing.position, Some(Position::Prefix("a/".to_owned())));
        assert!(!listing.is_ahead("a/"));
        assert!(!listing.is_ahead("a/z"));
        assert!(listing.is_ahead("a0"));
        assert!(listing.is_ahead("b/"));
    }

    #[test]
    fn a_marker_inside_a_common_prefix_still_shows_it() {
        let listing = ask("", Some("/")).after(Some("a/k"));
        assert_eq!(listing.position, Some(Position::Key("a/k".to_owned())));
        assert!(listing.is_ahead("a/"));
        assert!(!listing.is_ahead("a"));
    }

    #[test]
    fn a_marker_is_a_key_where_nothing_is_rolled_up() {
        assert_eq!(ask("", None).after(Some("a/")).position, Some(Position::Key("a/".to_owned())));
        assert_eq!(ask("a/", Some("/")).after(Some("a/")).position, Some(Position::Key("a/".to_owned())));
        assert_eq!(ask("b", Some("/")).after(Some("a/")).position, Some(Position::Key("a/".to_owned())));
        assert_eq!(ask("", None).after(Some("")).position, None);
    }

    #[test]
    fn a_position_starts_behind_everything_it_stands_for() {
        let prefix = Position::Prefix("a/".to_owned()).start_after();
        assert!(prefix.as_str() > "a/\u{FFFF}zzz" && prefix.as_str() < "a0");
        assert_eq!(Position::Key("a".to_owned()).start_after(), "a");
        assert_eq!(Position::Prefix("x".repeat(1024)).start_after().len(), 1024);
    }

    #[test]
    fn tokens_lead_back_to_their_position_and_nothing_else_is_one() {
        for position in [Position::Key("a b/ü&<".to_owned()), Position::Prefix("ä/".to_owned())] {
            assert_eq!(Position::from_token(&position.to_token()).ok(), Some(position));
        }
        for bad in ["", "a", "k", "!!!!", "eA", &URL_SAFE_NO_PAD.encode("xkey"), &URL_SAFE_NO_PAD.encode([b'k', 0xff])]
        {
            assert!(Position::from_token(bad).is_err(), "{bad}");
        }
    }
}
