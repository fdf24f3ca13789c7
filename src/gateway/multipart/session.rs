//! An upload found again: its row, its sealer, its place. And the locks that keep its operations apart.
use crate::gateway::Gateway;
use crate::gateway::checksum::algorithm_by_name;
use crate::gateway::put::mode;
use crate::gateway::respond::GatewayError;
use crate::policy::Plan;
use crate::seal::{ChecksumAlgorithm, ChecksumType, ObjectSealer};
use crate::site::tee::{Mode, SiteUploads};
use crate::site::{Location, SiteName};
use crate::state::Upload;
use s3s::dto::CompleteMultipartUploadOutput;
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

const STRIPES: usize = 1024;
/// How long a Complete whose answer was lost can be asked for again.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What the operations of one upload share within this process.
pub struct Uploads {
    stripes: Box<[RwLock<()>]>,
    hasher: std::hash::RandomState,
    /// Answers of recent Completes, by upload id, with the parts they were asked for.
    completed: moka::sync::Cache<String, Arc<Completed>>,
}

/// A Complete that succeeded.
pub(super) struct Completed {
    pub(super) parts: Vec<u16>,
    pub(super) output: Box<dyn Fn() -> CompleteMultipartUploadOutput + Send + Sync>,
}

/// An upload in progress.
pub(super) struct Session {
    pub(super) upload: Upload,
    pub(super) sealer: ObjectSealer,
    pub(super) at: Location,
    pub(super) plan: Plan,
}

// === impl Uploads ===

impl Default for Uploads {
    fn default() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| RwLock::default()).collect(),
            hasher: std::hash::RandomState::new(),
            completed: moka::sync::Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build(),
        }
    }
}

impl Uploads {
    /// For operations that may run beside each other: parts.
    pub(super) async fn shared(&self, upload: &str) -> RwLockReadGuard<'_, ()> {
        self.stripes[self.stripe(upload)].read().await
    }

    /// For the one that ends the upload.
    pub(super) async fn alone(&self, upload: &str) -> RwLockWriteGuard<'_, ()> {
        self.stripes[self.stripe(upload)].write().await
    }

    pub(super) fn remember(&self, upload: &str, completed: Completed) {
        self.completed.insert(upload.to_owned(), Arc::new(completed));
    }

    pub(super) fn completed(&self, upload: &str) -> Option<Arc<Completed>> {
        self.completed.get(upload)
    }

    fn stripe(&self, upload: &str) -> usize {
        (self.hasher.hash_one(upload) % STRIPES as u64) as usize
    }
}

// === impl Session ===

impl Session {
    /// Finds an upload of this very object.
    pub(super) async fn find(gateway: &Gateway, at: Location, id: &str) -> Result<Self, GatewayError> {
        let found = gateway.state.upload(id).await?.filter(|upload| upload.bucket == at.bucket && upload.key == at.key);
        let upload = found.ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchUpload))?;
        let vault = gateway.keyring.for_opening(&ObjectSealer::wrapped_key_ref(&upload.wrapped)?)?;
        let sealer = ObjectSealer::from_wrapped(&upload.wrapped, &vault)?;
        let plan = gateway.rules.plan(&at.bucket, &at.key);
        Ok(Self { upload, sealer, at, plan })
    }

    pub(super) fn mode(&self) -> Mode {
        mode(&self.plan)
    }

    /// The sites still taking part.
    pub(super) fn sites(&self) -> SiteUploads {
        self.upload.sites.iter().map(|(site, upload)| (SiteName(site.as_str().into()), upload.clone())).collect()
    }

    /// The checksum algorithm the upload keeps for its parts.
    pub(super) fn algorithm(&self) -> S3Result<Option<ChecksumAlgorithm>> {
        let name = self.upload.checksum_algorithm.as_str();
        (!name.is_empty()).then(|| algorithm_by_name(name)).transpose()
    }

    /// Full object or composite.
    pub(super) fn checksum_type(&self) -> ChecksumType {
        if self.upload.checksum_type == "FULL_OBJECT" { ChecksumType::FullObject } else { ChecksumType::Composite }
    }
}
