//! [`Site`]: one S3 endpoint, and [`Sites`]: all of them.
use super::config::{SiteConfig, SiteName};
use super::connect::{self, Pool, Reach};
use super::error::SiteError;
use super::health::Health;
use super::locks::Locks;
use super::observer::SiteObserver;
use super::pace::Pace;
use super::quirks::Quirks;
use super::sdk;
use super::sign::Signer;
use super::{Capabilities, Location, SiteCredential, SiteOwner, WriteCondition, path};
use crate::s3::BucketName;
use arc_swap::ArcSwapOption;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One S3 endpoint. Cheap to clone (`Arc` inside).
#[derive(Clone)]
pub struct Site {
    pub(super) inner: Arc<Inner>,
}

/// What every operation of a site uses.
pub(super) struct Inner {
    pub(super) name: SiteName,
    pub(super) bucket_prefix: String,
    connect: Duration,
    pub(super) stall: Duration,
    pub(super) origin: Origin,
    pub(super) pool: Pool,
    pub(super) signer: Signer,
    pub(super) sdk: aws_sdk_s3::Client,
    /// What was learned of the site, whoever asks.
    pub(super) health: Arc<Health>,
    pub(super) pace: Arc<Pace>,
    pub(super) quirks: Arc<Quirks>,
    pub(super) locks: Arc<Locks>,
    /// Empty before the first probe.
    pub(super) capabilities: Arc<ArcSwapOption<Capabilities>>,
    /// Whom the site says that our credential is; empty before it was asked, and where it does not say.
    pub(super) owner: ArcSwapOption<SiteOwner>,
    pub(super) observer: Arc<dyn SiteObserver>,
    /// The same site as the proxy itself, where this is it as one of its clients.
    proxy: Option<Arc<Self>>,
}

/// The endpoint, parsed once.
#[derive(Clone)]
pub(super) struct Origin {
    scheme: Scheme,
    authority: Authority,
    pub(super) host: HeaderValue,
}

/// Every site of the deployment: one primary, any number of backups (at least one).
#[derive(Clone)]
pub struct Sites {
    /// The primary.
    pub primary: Site,
    /// The backups.
    pub backups: Arc<[Site]>,
}

// === impl Site ===

impl Site {
    /// Builds the clients; opens no connection. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`SiteError::Protocol`] when the endpoint is not an `http(s)://host[:port]` URL or the CA bundle is unusable.
    pub fn new(config: SiteConfig, observer: Arc<dyn SiteObserver>) -> Result<Self, SiteError> {
        let unusable = |detail: String| SiteError::Protocol { site: config.name.clone(), detail };
        let origin = Origin::parse(&config.endpoint).map_err(&unusable)?;
        let reach = Reach {
            ca_pem: config.ca_pem.as_deref(),
            connect_timeout: config.connect_timeout,
            stall_timeout: config.stall_timeout,
            max_idle_connections: config.max_idle_connections,
        };
        let pool = connect::pool(&reach).map_err(|e| unusable(e.to_string()))?;
        let door = sdk::Door {
            region: &config.region,
            origin: &origin,
            connect_timeout: config.connect_timeout,
            stall_timeout: config.stall_timeout,
        };
        let credential =
            SiteCredential { access_key_id: config.access_key_id, secret_access_key: config.secret_access_key };
        let sdk = sdk::client(&door, &credential, pool.clone());
        let signer = Signer::new(credential, config.region);
        let inner = Inner {
            name: config.name,
            bucket_prefix: config.bucket_prefix,
            connect: config.connect_timeout,
            stall: config.stall_timeout,
            origin,
            pool,
            signer,
            sdk,
            health: Arc::new(Health::new()),
            pace: Arc::default(),
            quirks: Arc::default(),
            locks: Arc::default(),
            capabilities: Arc::default(),
            owner: ArcSwapOption::empty(),
            observer,
            proxy: None,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The same site, asked with another credential than the proxy's own. What is learned of the site is learned for both.
    #[must_use]
    pub fn acting_as(&self, credential: SiteCredential) -> Self {
        let like = self.as_proxy().inner;
        let region = like.signer.region();
        let door = sdk::Door { region, origin: &like.origin, connect_timeout: like.connect, stall_timeout: like.stall };
        let inner = Inner {
            name: like.name.clone(),
            bucket_prefix: like.bucket_prefix.clone(),
            connect: like.connect,
            stall: like.stall,
            origin: like.origin.clone(),
            pool: like.pool.clone(),
            sdk: sdk::client(&door, &credential, like.pool.clone()),
            signer: Signer::new(credential, region.to_owned()),
            health: like.health.clone(),
            pace: like.pace.clone(),
            quirks: like.quirks.clone(),
            locks: like.locks.clone(),
            capabilities: like.capabilities.clone(),
            owner: ArcSwapOption::empty(),
            observer: like.observer.clone(),
            proxy: Some(like.clone()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same site as the proxy itself: for what no client asks for.
    #[must_use]
    pub fn as_proxy(&self) -> Self {
        Self { inner: self.inner.proxy.as_ref().unwrap_or(&self.inner).clone() }
    }

    /// Whether it is asked as somebody else than the proxy itself.
    pub fn is_acting(&self) -> bool {
        self.inner.proxy.is_some()
    }

    /// Whether it is the same site, asked with the same credential.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Name.
    pub fn name(&self) -> &SiteName {
        &self.inner.name
    }

    /// What the last probe found (default before the first).
    pub fn capabilities(&self) -> Arc<Capabilities> {
        self.inner.capabilities.load_full().unwrap_or_default()
    }

    /// Whether buckets here may be versioned. Before the first probe they may: whoever took it that they are not would lose versions.
    pub fn may_keep_versions(&self) -> bool {
        self.inner.capabilities.load().as_ref().is_none_or(|found| found.versioning)
    }

    /// Whose buckets and objects they are, in the site's own words; `None` where it has not said.
    pub fn owner(&self) -> Option<Arc<SiteOwner>> {
        self.inner.owner.load_full()
    }

    /// True while recent requests got answers (see `health.rs`); readers try healthy sites first.
    pub fn is_healthy(&self) -> bool {
        self.inner.health.is_healthy()
    }

    /// True since its last requests went unanswered, until one is answered.
    pub fn is_out(&self) -> bool {
        self.inner.health.is_out()
    }
}

// === impl Inner ===

impl Inner {
    /// The same site as the proxy itself.
    pub(super) fn as_proxy(&self) -> &Self {
        self.proxy.as_deref().unwrap_or(self)
    }

    /// The name of a bucket at this site.
    pub(super) fn bucket(&self, bucket: &BucketName) -> String {
        format!("{}{bucket}", self.bucket_prefix)
    }

    pub(super) fn path(&self, at: &Location) -> String {
        path::object_path(&self.bucket_prefix, at)
    }

    /// Refuses a condition that the probe found ignored: pretending would lose writes. Before the first probe the
    /// backend is given the benefit of the doubt.
    pub(super) fn allow(&self, condition: &WriteCondition, complete: bool) -> Result<(), SiteError> {
        let Some(found) = self.capabilities.load_full() else { return Ok(()) };
        let (able, what) = match (condition, complete) {
            (WriteCondition::Always, _) => return Ok(()),
            (WriteCondition::IfAbsent, false) => (found.put_if_none_match, "If-None-Match on PutObject"),
            (WriteCondition::IfMatch(_), false) => (found.put_if_match, "If-Match on PutObject"),
            (_, true) => (found.complete_if_none_match, "conditions on CompleteMultipartUpload"),
        };
        if able { Ok(()) } else { Err(SiteError::Unsupported { site: self.name.clone(), what }) }
    }

    pub(super) fn unreachable(&self, detail: impl Into<String>) -> SiteError {
        SiteError::Unreachable { site: self.name.clone(), detail: detail.into() }
    }

    pub(super) fn nonsense(&self, detail: impl Into<String>) -> SiteError {
        SiteError::Protocol { site: self.name.clone(), detail: detail.into() }
    }

    /// Runs one request under the eyes of health and observer.
    pub(super) async fn watched<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T, SiteError>>,
    ) -> Result<T, SiteError> {
        let started = Instant::now();
        self.health.tries();
        let result = request.await;
        let outcome = result.as_ref().map_or_else(SiteError::outcome, |_| "ok");
        self.observer.request(&self.name, operation, outcome, started.elapsed().as_secs_f64());
        match &result {
            // Our own doing says nothing about the site.
            Err(SiteError::Aborted | SiteError::Unsupported { .. }) => {}
            Err(error) => self.note(error.is_outage()),
            Ok(_) => self.note(false),
        }
        result
    }

    /// Tells health, and the observer when the verdict changed.
    pub(super) fn note(&self, outage: bool) {
        if let Some(healthy) = self.health.ended(outage) {
            tracing::warn!(site = %self.name, healthy, "the health of a site changed");
            self.observer.health(&self.name, healthy);
        }
    }
}

// === impl Origin ===

impl Origin {
    fn parse(endpoint: &str) -> Result<Self, String> {
        let bad = || format!("the endpoint {endpoint:?} is not of the form http(s)://host[:port]");
        let parts = endpoint.parse::<Uri>().map_err(|_| bad())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(bad()) };
        let bare = parts.path_and_query.is_none_or(|path| path == "/");
        let known = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        if !bare || !known || authority.as_str().contains('@') {
            return Err(bad());
        }
        let host = HeaderValue::from_str(host_value(&scheme, &authority)).map_err(|_| bad())?;
        Ok(Self { scheme, authority, host })
    }

    /// `scheme://authority`.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    pub(super) fn host(&self) -> &str {
        self.host.to_str().unwrap_or_default()
    }

    /// The URI of an encoded path and query.
    pub(super) fn uri(&self, path_and_query: PathAndQuery) -> Option<Uri> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query);
        Uri::from_parts(parts).ok()
    }
}

/// The `Host` header: without the scheme's default port, as every signer expects.
fn host_value<'a>(scheme: &Scheme, authority: &'a Authority) -> &'a str {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    if authority.port_u16() == Some(default) { authority.host() } else { authority.as_str() }
}

// === impl Sites ===

impl Sites {
    /// Primary first.
    pub fn all(&self) -> impl Iterator<Item = &Site> {
        std::iter::once(&self.primary).chain(self.backups.iter())
    }

    /// The same sites, asked with the credentials that somebody has there.
    ///
    /// # Errors
    /// The site for which there is none: what it forbids them, another site would do for them as the proxy.
    pub fn acting_as(&self, mut own: HashMap<SiteName, SiteCredential>) -> Result<Self, SiteName> {
        let mut acting = |site: &Site| {
            let credential = own.remove(site.name()).ok_or_else(|| site.name().clone())?;
            Ok(site.acting_as(credential))
        };
        let primary = acting(&self.primary)?;
        Ok(Self { primary, backups: self.backups.iter().map(acting).collect::<Result<Vec<_>, _>>()?.into() })
    }

    /// The same sites as the proxy itself.
    #[must_use]
    pub fn as_proxy(&self) -> Self {
        Self { primary: self.primary.as_proxy(), backups: self.backups.iter().map(Site::as_proxy).collect() }
    }

    /// By name.
    pub fn by_name(&self, name: &SiteName) -> Option<&Site> {
        self.all().find(|s| s.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_scheme_host_and_port_only() {
        for (endpoint, host) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("https://s3.example.com", "s3.example.com"),
            ("https://s3.example.com:443/", "s3.example.com"),
            ("http://s3.example.com:443", "s3.example.com:443"),
            ("http://[::1]:80", "[::1]"),
        ] {
            assert_eq!(Origin::parse(endpoint).expect(endpoint).host(), host);
        }
        for bad in ["", "s3.example.com", "ftp://h", "http://h/path", "http://h?q", "http://u:p@h"] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
