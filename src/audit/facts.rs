//! What is learnt about a request while it is served.
use crate::s3::{Operation, RequestId};
use std::sync::{Arc, Mutex};

/// Facts about one request, filled in along the way by whoever learns them.
#[derive(Clone, Debug)]
pub struct Facts {
    pub request_id: RequestId,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Whether its peer is on this machine.
    pub local: bool,
    pub operation: Operation,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub principal: Option<String>,
    pub access_key_id: Option<String>,
    /// `AuthHeader`, `QueryString` or none.
    pub auth_type: Option<&'static str>,
    /// S3 error code of the answer.
    pub error_code: Option<String>,
    pub rule: Option<String>,
    pub vault_key: Option<String>,
    pub vault_key_version: Option<u32>,
    pub suite: Option<&'static str>,
    pub sites_written: Vec<String>,
    pub sites_pending: Vec<String>,
    pub served_by: Option<String>,
    pub object_size: Option<u64>,
    pub bytes_plain: u64,
    pub bytes_sealed: u64,
    pub version_id: Option<String>,
    /// Extra records of the same request (copy sources, keys of a multi-delete).
    pub also: Vec<(Operation, String, String)>,
}

/// Shared by front and operations through the request's extensions.
#[derive(Clone)]
pub struct RequestContext(pub Arc<Mutex<Facts>>);

// === impl Facts ===

impl Facts {
    /// Nothing known yet.
    pub fn new(request_id: RequestId) -> Self {
        Self {
            request_id,
            secure: false,
            local: false,
            operation: Operation::Other,
            bucket: None,
            key: None,
            principal: None,
            access_key_id: None,
            auth_type: None,
            error_code: None,
            rule: None,
            vault_key: None,
            vault_key_version: None,
            suite: None,
            sites_written: Vec::new(),
            sites_pending: Vec::new(),
            served_by: None,
            object_size: None,
            bytes_plain: 0,
            bytes_sealed: 0,
            version_id: None,
            also: Vec::new(),
        }
    }
}

// === impl RequestContext ===

impl RequestContext {
    /// A context in which nothing is known yet.
    pub fn new(request_id: RequestId) -> Self {
        Self(Arc::new(Mutex::new(Facts::new(request_id))))
    }

    /// Changes the facts (a poisoned lock is taken over: facts are only ever assigned).
    pub fn with<R>(&self, change: impl FnOnce(&mut Facts) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
