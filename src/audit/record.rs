//! One request, seen from its end.
use super::Facts;
use crate::s3::Operation;
use std::net::IpAddr;
use std::time::Duration;
use time::OffsetDateTime;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client was sent the whole answer.
    Complete,
    /// The client went away, or was broken off, before that.
    Aborted,
    /// The handler panicked.
    Panicked,
}

/// What is written down about one request. Bytes that a client controls are raw; the writers escape them.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When the request's head had arrived.
    pub time: OffsetDateTime,
    /// What was learnt on the way.
    pub facts: &'a Facts,
    /// `x-amz-id-2` of the answer.
    pub host_id: &'a str,
    /// The client's address.
    pub remote: Option<IpAddr>,
    /// Method; empty when the request could not be read.
    pub method: &'a str,
    /// Path and query as they came, signatures redacted (see [`super::redact_query`]).
    pub uri: &'a str,
    /// For example `HTTP/1.1`.
    pub version: &'static str,
    /// Status sent; `None` when the client went away before.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes_sent: u64,
    /// Bytes of the request's body.
    pub bytes_received: u64,
    /// From the request's head to the end of the answer.
    pub total: Duration,
    /// From the last byte of the request to the head of the answer.
    pub turn_around: Option<Duration>,
    /// `Referer`.
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Host`.
    pub host: Option<&'a [u8]>,
    /// `SigV4`, `SigV2` or none.
    pub signature: Option<&'static str>,
    /// The access key id that the request claims, verified or not.
    pub claimed_access_key_id: Option<&'a str>,
    /// For example `TLSv1.3`.
    pub tls_version: Option<&'a str>,
    /// For example `TLS_AES_128_GCM_SHA256`.
    pub tls_cipher: Option<&'a str>,
    /// How it ended.
    pub outcome: Outcome,
}

// === impl Outcome ===

impl Outcome {
    /// As events say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }
}

// === impl Record ===

impl Record<'_> {
    /// The access log's verb. For a request refused before its operation was known: method and kind of resource.
    pub fn verb(&self) -> std::borrow::Cow<'static, str> {
        let operation = self.facts.operation;
        if operation != Operation::Other {
            return operation.log_verb().into();
        }
        let resource = match (&self.facts.bucket, &self.facts.key) {
            (_, Some(_)) => "OBJECT",
            (Some(_), None) => "BUCKET",
            (None, None) => "SERVICE",
        };
        match self.method {
            "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "OPTIONS" => format!("REST.{}.{resource}", self.method).into(),
            _ => operation.log_verb().into(),
        }
    }

    /// The verb of an extra record of this request.
    pub fn extra_verb(&self, extra: Operation) -> &'static str {
        match self.facts.operation {
            Operation::CopyObject => "REST.COPY.OBJECT_GET",
            Operation::UploadPartCopy => "REST.COPY.PART_GET",
            Operation::DeleteObjects => "BATCH.DELETE.OBJECT",
            _ => extra.log_verb(),
        }
    }
}
