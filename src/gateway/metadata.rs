//! What is sealed beside the body: user metadata and the content headers. Encoded as compact JSON, sealed by
//! `seal`, kept in one backend metadata header.
use crate::policy::MetadataForm;
use crate::seal::{Entropy, ObjectSealer, SealedMetadata};
use crate::site::METADATA_HEADER;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::collections::BTreeMap;

/// Everything a client attached to an object, in S3's own header names.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct UserMetadata {
    /// `Content-Type`.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, as the client wrote it.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// `x-amz-meta-*` without the prefix, lower case.
    #[serde(rename = "m", skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// True when the client asked for `aws:kms`: it is told so again whenever it reads the object.
    #[serde(rename = "k", skip_serializing_if = "std::ops::Not::not")]
    pub kms: bool,
}

/// S3's limit on user metadata: the sum of names and values, bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
const USER_LIMIT: usize = 2 * 1024;

/// What user metadata begins with, as headers.
const USER_PREFIX: &str = "x-amz-meta-";

/// The longest value that a probe tries: nothing is known beyond.
const PROBED: usize = 8192;

/// Builds a [`UserMetadata`] from any `s3s` input that carries the usual headers.
macro_rules! from_input {
    ($input:expr) => {
        $crate::gateway::metadata::UserMetadata {
            content_type: $input.content_type.clone(),
            content_encoding: $crate::gateway::metadata::without_framing($input.content_encoding.clone()),
            content_disposition: $input.content_disposition.clone(),
            content_language: $input.content_language.clone(),
            cache_control: $input.cache_control.clone(),
            expires: $input.expires.clone(),
            website_redirect: $input.website_redirect_location.clone(),
            user: $input.metadata.clone().into_iter().flatten().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect(),
            kms: false,
        }
    };
}
pub(super) use from_input;

// === impl UserMetadata ===

impl UserMetadata {
    /// Refuses more user metadata than S3 takes, and our own internal names.
    pub(super) fn check(&self) -> S3Result<()> {
        let size: usize = self.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > USER_LIMIT {
            return Err(S3Error::new(S3ErrorCode::MetadataTooLarge));
        }
        if self.user.keys().any(|name| name.starts_with("strongroom")) {
            let message = "User metadata names that begin with \"strongroom\" are reserved.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
        }
        Ok(())
    }

    /// The metadata of an object that is not sealed: the headers with which a site serves it.
    pub(super) fn of_unsealed(headers: &HeaderMap) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let one = |name: &str| headers.get(name).map(text);
        let user = headers.iter().filter(|(name, _)| name.as_str() != METADATA_HEADER);
        let user =
            user.filter_map(|(name, value)| Some((name.as_str().strip_prefix(USER_PREFIX)?.to_owned(), text(value))));
        Self {
            content_type: one("content-type"),
            content_encoding: one("content-encoding"),
            content_disposition: one("content-disposition"),
            content_language: one("content-language"),
            cache_control: one("cache-control"),
            expires: one("expires"),
            website_redirect: one("x-amz-website-redirect-location"),
            user: user.collect(),
            kms: false,
        }
    }

    /// The headers that lie in clear at the sites beside the sealed form, where the rule wants them.
    pub(super) fn in_clear(&self, form: MetadataForm) -> Vec<(String, String)> {
        if form == MetadataForm::Sealed {
            return Vec::new();
        }
        let content = [
            ("cache-control", &self.cache_control),
            ("content-disposition", &self.content_disposition),
            ("content-language", &self.content_language),
            ("content-type", &self.content_type),
            ("expires", &self.expires),
        ];
        let content = content.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.as_deref()?)));
        let user = self.user.iter().map(|(name, value)| (format!("{USER_PREFIX}{name}"), value.as_str()));
        content.chain(user).map(|(name, value)| (name, header_text(value))).collect()
    }

    /// Seals it for one object; nothing at all when there is nothing to keep.
    pub(super) fn seal(&self, sealer: &ObjectSealer, entropy: &dyn Entropy) -> S3Result<Option<SealedMetadata>> {
        if *self == Self::default() {
            return Ok(None);
        }
        let json = serde_json::to_vec(self).map_err(S3Error::internal_error)?;
        let sealed = sealer.seal_metadata(&json, entropy).map_err(super::respond::GatewayError::from)?;
        Ok(Some(sealed))
    }
}

/// Refuses what some site is certain to refuse: in tee mode the primary could take it, and the backup never. `largest` is the longest value
/// that the site's probe got through; twice that did not.
pub(super) fn check_sealed(sealed: &SealedMetadata, largest: impl Iterator<Item = usize>) -> S3Result<()> {
    let refused = |largest: usize| largest > 0 && largest < PROBED && sealed.value.len() >= 2 * largest;
    if largest.into_iter().any(refused) {
        let message = "Your metadata headers, sealed, exceed the maximum metadata size of the storage.";
        return Err(S3Error::with_message(S3ErrorCode::MetadataTooLarge, message));
    }
    Ok(())
}

/// Text as any server signs and stores it alike: as it is, or as an encoded word of RFC 2047 (what S3 answers for text that is not ASCII)
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
fn header_text(text: &str) -> String {
    let as_it_is = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("  ") && text.trim() == text;
    if as_it_is { text.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(text)) }
}

/// Joins user metadata that comes in several headers of one name with commas, as S3 does and as the signature is over it; `s3s` refuses it
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
pub(super) fn join_repeated(headers: &mut HeaderMap) {
    if headers.keys_len() == headers.len() {
        return;
    }
    let is_one =
        |name: &&HeaderName| name.as_str().starts_with(USER_PREFIX) && headers.get_all(*name).iter().count() > 1;
    let repeated: Vec<HeaderName> = headers.keys().filter(is_one).cloned().collect();
    for name in repeated {
        let values: Vec<&[u8]> = headers.get_all(&name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
            headers.insert(name, joined);
        }
    }
}

/// `aws-chunked` describes the request's framing and is not part of the object.
pub(super) fn without_framing(encoding: Option<String>) -> Option<String> {
    let kept: Vec<String> = encoding?
        .split(',')
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_framing_of_a_request_is_not_kept() {
        assert_eq!(without_framing(Some("aws-chunked".into())), None);
        assert_eq!(without_framing(Some("gzip, aws-chunked".into())), Some("gzip".into()));
        assert_eq!(without_framing(None), None);
    }

    #[test]
    fn user_metadata_ends_at_two_kibibytes() {
        let of =
            |length| UserMetadata { user: [("k".to_owned(), "v".repeat(length))].into(), ..UserMetadata::default() };
        assert!(of(2047).check().is_ok());
        assert_eq!(of(2048).check().map_err(|e| e.code().clone()), Err(S3ErrorCode::MetadataTooLarge));
    }

    #[test]
    fn what_a_site_is_certain_to_refuse_is_refused_here() {
        let of = |length| SealedMetadata { value: "v".repeat(length), tag: [0; 16] };
        let fits = |length, probed: &[usize]| check_sealed(&of(length), probed.iter().copied()).is_ok();
        assert!(fits(4095, &[8192, 2048]), "it may fit");
        assert!(!fits(4096, &[8192, 2048]), "the probe found that this is refused");
        assert!(fits(20_000, &[8192, 0]), "nothing is known");
    }

    #[test]
    fn what_lies_in_clear_is_what_a_site_can_say_of_sealed_bytes() {
        let metadata = UserMetadata {
            content_type: Some("text/plain".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            website_redirect: Some("/x".to_owned()),
            user: [("client".to_owned(), "凭证".to_owned()), ("two".to_owned(), "a  b".to_owned())].into(),
            ..UserMetadata::default()
        };
        assert_eq!(metadata.in_clear(MetadataForm::Sealed), []);
        let expected = [
            ("content-type", "text/plain"),
            ("x-amz-meta-client", "=?UTF-8?B?5Yet6K+B?="),
            ("x-amz-meta-two", "=?UTF-8?B?YSAgYg==?="),
        ];
        let clear = metadata.in_clear(MetadataForm::Clear);
        let clear: Vec<_> = clear.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(clear, expected);
    }

    #[test]
    fn the_headers_of_an_unsealed_object_are_its_metadata() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("content-type", "a/b"), ("etag", "x"), ("x-amz-meta-k", "v"), (METADATA_HEADER, "ours")]
        {
            headers.insert(name, value.parse().expect("a value"));
        }
        let metadata = UserMetadata::of_unsealed(&headers);
        assert_eq!(metadata.content_type.as_deref(), Some("a/b"));
        assert_eq!(metadata.user, [("k".to_owned(), "v".to_owned())].into());
    }

    #[test]
    fn metadata_that_comes_twice_is_joined_and_nothing_else_is() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("x-amz-meta-a", "1 "), ("x-amz-meta-a", " 2"), ("x-amz-meta-b", "3"), ("range", "x"), ("range", "y")]
        {
            headers.append(name, value.parse().expect("a value"));
        }
        join_repeated(&mut headers);
        let all = |name: &str| headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(all("x-amz-meta-a"), [b"1,2".to_vec()]);
        assert_eq!((all("x-amz-meta-b").len(), all("range").len()), (1, 2));
    }

    #[test]
    fn our_own_names_are_refused() {
        let ours = UserMetadata { user: [("strongroom".to_owned(), String::new())].into(), ..UserMetadata::default() };
        assert!(ours.check().is_err());
    }
}
