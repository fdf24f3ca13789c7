//! What is sealed beside the body: user metadata and the content headers. Encoded as compact JSON, sealed by
//! `seal`, kept in one backend metadata header. CONTRACT SKELETON (owner: write path).
use std::collections::BTreeMap;

/// Everything a client attached to an object, in S3's own header names.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct UserMetadata {
    #[serde(rename = "t", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// `x-amz-meta-*` without the prefix, lower case.
    #[serde(rename = "m", skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
}
