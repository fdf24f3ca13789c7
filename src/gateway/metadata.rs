//! What is sealed beside the body: user metadata and the content headers. Encoded as compact JSON, sealed by
//! `seal`, kept in one backend metadata header.
use crate::seal::{Entropy, ObjectSealer, SealedMetadata};
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
}

/// S3's limit on user metadata: the sum of names and values, bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
const USER_LIMIT: usize = 2 * 1024;

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
    fn our_own_names_are_refused() {
        let ours = UserMetadata { user: [("strongroom".to_owned(), String::new())].into(), ..UserMetadata::default() };
        assert!(ours.check().is_err());
    }
}
