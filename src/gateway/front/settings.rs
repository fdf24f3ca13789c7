//! What the front is told, and what `s3s` is told in turn.
use crate::authz::Authorizer;
use crate::clock::RandomError;
use crate::identity::Credentials;
use crate::policy::LiveRules;
use crate::telemetry::Metrics;
use s3s::config::{S3Config, S3ConfigProvider, StaticConfigProvider};
use s3s::host::{DomainError, SingleDomain};
use s3s::region::Region;
use std::sync::Arc;
use std::time::Duration;

/// S3's own limit for one PUT.
const MAX_PUT: u64 = 5 * 1024 * 1024 * 1024;
/// A signed chunk is held in memory until its signature is checked. SDKs send 64 KiB (botocore, minio-go) to 128 KiB
/// (Java), tools up to 1 MiB; twice that leaves room. Unsigned chunks are streamed and not limited.
const MAX_SIGNED_CHUNK: usize = 2 * 1024 * 1024;
/// The fields of an upload form are held in memory before its signature is checked. S3 takes 20 KiB of them.
const MAX_FORM_FIELDS: usize = 64 * 1024;
const MAX_FORM_PARTS: usize = 100;

/// What the front is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontSettings {
    /// Whether signatures of version 2 are taken; else they are refused, whatever they sign.
    pub allow_signature_v2: bool,
    /// The region that signatures must name; `None`: any.
    pub region: Option<String>,
    /// Base domain of virtual-host addressing.
    pub domain: Option<String>,
    /// Largest XML body, bytes. The largest that S3 takes is DeleteObjects with 1,000 keys of 1,024 bytes: 7.3 MB, when
    /// each byte of a key is escaped (6 bytes, `&quot;`) and has a version id (1,024 bytes) and 120 bytes of element
    /// names around it. CompleteMultipartUpload with 10,000 parts and a SHA-256 each takes 1.8 MB.
    pub max_xml_body: usize,
    /// Longest silence of a client while its request's body travels.
    pub stall_timeout: Duration,
}

/// What stands before the operations.
#[derive(Clone)]
pub struct Guards {
    /// Who is known.
    pub credentials: Arc<Credentials>,
    /// Who may do what.
    pub authorizer: Arc<Authorizer>,
    /// Where TLS is required.
    pub rules: Arc<LiveRules>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The front cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// The base domain.
    #[error("the domain {0:?} cannot be used for virtual-host addressing: {1}")]
    Domain(String, DomainError),
    /// The region.
    #[error("the region {0:?} is none")]
    Region(String),
    /// No randomness for ids.
    #[error(transparent)]
    Random(#[from] RandomError),
}

// === impl FrontSettings ===

impl FrontSettings {
    pub(super) fn s3s_config(&self) -> Result<Arc<dyn S3ConfigProvider>, FrontError> {
        let mut config = S3Config::default();
        config.xml_max_body_size = self.max_xml_body;
        config.put_object_max_size = Some(MAX_PUT);
        config.post_object_max_file_size = MAX_PUT;
        config.aws_chunked_stream_max_chunk_size = MAX_SIGNED_CHUNK;
        config.form_max_field_size = MAX_FORM_FIELDS;
        config.form_max_fields_size = MAX_FORM_FIELDS;
        config.form_max_parts = MAX_FORM_PARTS;
        // Limited by the front itself.
        config.custom_route_max_body_size = None;
        config.sig_v4_allowed_services = vec!["s3".to_owned()];
        config.enable_sig_v2 = self.allow_signature_v2;
        // What a request is decides, not what its `x-id` says.
        config.operation_id_routing = false;
        let region = self
            .region
            .as_ref()
            .map(|name| Region::new(name.clone().into_boxed_str()).map_err(|_| FrontError::Region(name.clone())));
        config.expected_region = region.transpose()?;
        Ok(Arc::new(StaticConfigProvider::new(Arc::new(config))))
    }

    /// Virtual hosts below the domain. No other host name becomes a bucket (`s3s` would do so by default).
    pub(super) fn s3s_host(&self) -> Result<Option<SingleDomain>, FrontError> {
        let Some(domain) = &self.domain else { return Ok(None) };
        let host = SingleDomain::new(domain).map_err(|error| FrontError::Domain(domain.clone(), error))?;
        Ok(Some(host.with_cname_fallback(false)))
    }
}
