//! Every metric's name, unit and labels in one table; tracing set-up. CONTRACT SKELETON.

/// All metrics of the process.
pub struct Metrics {}

#[allow(unused_variables)]
impl Metrics {
    /// A fresh registry.
    pub fn new() -> std::sync::Arc<Self> {
        unimplemented!()
    }
    /// A sealed object failed authentication.
    pub fn integrity_failure(&self, site: &str) {
        unimplemented!()
    }
    /// An ETag of a listing came from the index (`hit`) or from a trailer read.
    pub fn list_etag(&self, hit: bool) {
        unimplemented!()
    }
    /// A trailer came from the cache.
    pub fn trailer_cache(&self, hit: bool) {
        unimplemented!()
    }
    /// Plain and sealed bytes that an operation moved in the client's direction or from it.
    pub fn moved(&self, operation: crate::s3::Operation, plain: u64, sealed: u64) {
        unimplemented!()
    }
    /// A read was served by another site than the primary.
    pub fn failover(&self, site: &str) {
        unimplemented!()
    }
}
