//! The seam through which every request to a site is counted.
use super::SiteName;

/// Told of every request to a site, for metrics; implemented by telemetry's wiring in `app`.
pub trait SiteObserver: Send + Sync {
    /// One request ended: its short name (`get`, `put`, ...), outcome class (`ok`, `4xx`, `5xx`,
    /// `unreachable`), seconds to response head.
    fn request(&self, site: &SiteName, operation: &'static str, outcome: &'static str, seconds: f64);
    /// Sealed bytes moved.
    fn bytes(&self, site: &SiteName, sent: u64, received: u64);
    /// Health changed.
    fn health(&self, site: &SiteName, healthy: bool);
}

/// Counts nothing: for tools and tests without telemetry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

// === impl Unobserved ===

impl SiteObserver for Unobserved {
    fn request(&self, _: &SiteName, _: &'static str, _: &'static str, _: f64) {}
    fn bytes(&self, _: &SiteName, _: u64, _: u64) {}
    fn health(&self, _: &SiteName, _: bool) {}
}
