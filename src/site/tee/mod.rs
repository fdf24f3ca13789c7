//! The tee: one sealed stream in, every site out, one commit.
//!
//! Rules it keeps:
//! - Sites are fed at once with the same `Bytes` (reference-counted), with back-pressure from the primary
//!   (and, in `Mode::Strict`, from all). A backup that stalls longer than `backup_grace` is dropped from the
//!   write and recorded as a miss. One whose last requests failed is not even tried (but for one write every few seconds, see
//!   `site::health`): a dead backup costs clients nothing.
//! - The last bytes (the footer) are held back until `commit`. Dropping a `TeeWrite` breaks the request
//!   off at every site: nothing becomes visible.
//! - `commit` holds a per-key lock (in-process) from the last bytes to the answers of the sites, so that two
//!   writers of one key commit in the same order everywhere. `delete` and the replication worker take it too.
//! - Unconditional writes commit everywhere at once (in `Mode::Tee`); conditional ones first at the primary, then at the
//!   backups (whose own write is unconditional).
//! - Before the first site is told anything that it would show, an [`Intent`] is on disk ([`MissRecorder::intend`]): after a crash whoever
//!   finds it levels the key. It is written while the body streams, and taken back when everything else is on record.
//! - Whatever makes the sites differ after the primary decided is recorded through [`MissRecorder`]
//!   *before* the caller gets its answer. If recording fails the write is answered with an error.
//! - When the primary does not say what became of the last bytes, it may have the object: the caller gets an error, and every backup
//!   is recorded, so that the sites come to agree whichever way it went. It may also come late, over what was acknowledged since: see `straggler`.
//! - A backup's request that is given up on at the very end is not cancelled: nobody can cancel what the site may be doing already.
//!   It runs on by itself, and when it ends the miss is recorded once more, so that a late effect is levelled, too.
//! - In `Mode::Strict` every site is required. An unconditional PUT commits at the backups first: the primary never shows what a backup
//!   refused. What decides at the primary (conditions, deletes, Complete) goes there first; when a backup then fails, the caller gets
//!   the error although the primary has changed. Either way the sites are levelled to what the primary holds.
//! - In `Mode::Async` only the primary is told; every backup is recorded as a miss before the caller gets its answer.
//! - A delete with a term of retention goes to the primary only, too; the misses carry the term, and the worker keeps to it.
//! - What a site can copy by itself does not come through here (`copy`); the primary sets the pace, then a backup has `backup_grace`.
//! - While the primary is out a backup can take its place, if that is wanted (`deputy`).
//! - A miss names a backup and means "make it equal to the primary", never "repeat this write": it stays right whatever
//!   happens to the key afterwards.
use super::{Location, ObjectHeaders, Site, SiteError, SiteName, Sites, WriteCondition, Written};
use crate::s3::{BucketName, Lock, ObjectKey, SealedETag};
use leg::Request;
use lock::KeyLocks;
use std::sync::Arc;
use std::time::Duration;
use straggler::Stragglers;
use time::OffsetDateTime;
use tokio_util::task::TaskTracker;

mod configure;
mod copy;
mod delete;
mod deputy;
mod intent;
mod late;
mod leg;
mod lock;
mod rare;
mod straggler;
mod write;

pub use copy::CopySource;
pub use delete::Fate;
pub use intent::{Change, Intent, Promise};
pub use lock::KeyGuard;
pub use write::TeeWrite;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// When the primary has it; what a backup missed is recorded durably first.
    #[default]
    Tee,
    /// When every site has it.
    Strict,
    /// When the primary has it; the backups are recorded and get it later.
    Async,
}

/// A site that does not (or may not) have what the primary has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The site to bring up to date.
    pub site: SiteName,
    /// Bucket.
    pub bucket: BucketName,
    /// The object; `None`: the bucket itself was created or deleted.
    pub key: Option<ObjectKey>,
    /// Why, for the operator. No secrets, no keys of objects.
    pub reason: String,
    /// Sealed bytes to be copied, as far as known.
    pub bytes: u64,
    /// What the site holds is not to be deleted before this time (Unix seconds).
    pub retain_until: Option<i64>,
    /// The site is the primary, and this backup accepted the change in its place (`bytes`, 0: it may have been a delete).
    pub home_from: Option<SiteName>,
}

/// The port through which misses become durable (implemented by `replication`).
#[async_trait::async_trait]
pub trait MissRecorder: Send + Sync {
    /// Returns only when the miss would survive a power cut.
    async fn record(&self, miss: Miss) -> Result<(), MissError>;

    /// Several at once, for recorders that can make them durable together.
    async fn record_all(&self, misses: Vec<Miss>) -> Result<(), MissError> {
        for miss in misses {
            self.record(miss).await?;
        }
        Ok(())
    }

    /// The backup that has what was acknowledged last of this object, while the primary does not.
    async fn home_of(&self, _at: &Location) -> Result<Option<SiteName>, MissError> {
        Ok(None)
    }

    /// The sites that miss something of this object.
    async fn behind(&self, _at: &Location) -> Result<Vec<SiteName>, MissError> {
        Ok(Vec::new())
    }

    /// Whether a change of this object is under way here.
    fn is_changing(&self, _at: &Location) -> bool {
        false
    }

    /// Whether other proxies change objects as well, and record it at the same place.
    fn is_shared(&self) -> bool {
        false
    }

    /// A read found what a site holds of this object damaged; it is to be made good from another site. Never waits.
    fn damaged(&self, _site: &SiteName, _at: &Location, _why: &str) {}

    /// Begins to write down that this is about to change. For recorders without a disk: nothing is written.
    fn intend(&self, _change: Change) -> Intent {
        Intent::default()
    }
}

/// A miss could not be recorded.
#[derive(Debug, thiserror::Error)]
#[error("what a site missed could not be recorded: {0}")]
pub struct MissError(pub String);

/// What a tee'd operation can fail with.
#[derive(Debug, thiserror::Error)]
pub enum TeeError {
    /// A site refused or failed (the primary; in strict mode any).
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The journal is not writable: acknowledge nothing.
    #[error(transparent)]
    Journal(#[from] MissError),
}

/// The outcome of a write.
#[derive(Clone, Debug)]
pub struct Committed {
    /// What the primary answered.
    pub primary: Written,
    /// Every site that has it, with the ETag it gave (primary first).
    pub written: Vec<(SiteName, SealedETag)>,
    /// Sites recorded as missing it.
    pub pending: Vec<SiteName>,
}

/// How long an object that was written then is to be kept, by the rules in force.
pub type Keeps = Arc<dyn Fn(&Location, OffsetDateTime) -> Option<Lock> + Send + Sync>;

/// Writes to every site. Cheap to clone.
#[derive(Clone)]
pub struct Tee {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    sites: Sites,
    /// The same as the proxy itself: for what is looked at afterwards, whoever made the change.
    own: Sites,
    misses: Arc<dyn MissRecorder>,
    backup_grace: Duration,
    locks: Arc<KeyLocks>,
    stragglers: Arc<Stragglers>,
    /// Commits whose callers are gone.
    orphans: TaskTracker,
    /// While the primary is out a backup may take its place.
    accepts: bool,
    /// A backup takes the primary's place: the site that is not asked.
    left_out: Option<SiteName>,
    keeps: Option<Keeps>,
    /// The sites have other users than the proxy's own, who may have buckets there.
    users: bool,
}

/// The upload ids of one multipart upload: one per site that takes part (a site that failed is left out).
pub type SiteUploads = Vec<(SiteName, String)>;

/// Per site, the part numbers that make an object, and the ETags it gave for them.
pub type SiteParts = Vec<(SiteName, Vec<(u16, SealedETag)>)>;

// === impl Mode ===

impl Mode {
    /// Whether a backup is asked at once: in `Tee` mode an unhealthy one is not.
    fn asks(self, backup: &Site) -> bool {
        match self {
            Self::Strict => true,
            Self::Tee => backup.is_healthy(),
            Self::Async => false,
        }
    }
}

// === impl Tee ===

impl Tee {
    /// Over these sites. `backup_grace`: how long a backup may keep a `Mode::Tee` write waiting.
    pub fn new(sites: Sites, misses: Arc<dyn MissRecorder>, backup_grace: Duration) -> Self {
        let (locks, stragglers, orphans) = (Arc::new(KeyLocks::new()), Arc::default(), TaskTracker::new());
        let (accepts, left_out, keeps, users) = (false, None, None, false);
        let own = sites.clone();
        let inner =
            Inner { sites, own, misses, backup_grace, locks, stragglers, orphans, accepts, left_out, keeps, users };
        Self { inner: Arc::new(inner) }
    }

    /// Over the same sites: what is copied from one to another is kept as the rules say, where the other has object lock.
    #[must_use]
    pub fn keeping(self, keeps: Keeps) -> Self {
        Self { inner: Arc::new(Inner { keeps: Some(keeps), ..self.inner.like() }) }
    }

    /// Over the same sites, which have other users as well: what the proxy copies by itself their buckets' owners may read.
    #[must_use]
    pub fn among_users(self, users: bool) -> Self {
        Self { inner: Arc::new(Inner { users, ..self.inner.like() }) }
    }

    /// Whether the sites have other users than the proxy's own.
    pub fn is_among_users(&self) -> bool {
        self.inner.users
    }

    /// The same tee, writing as one of its clients: these are the same sites with a client's own credentials there.
    #[must_use]
    pub fn acting_as(&self, sites: Sites) -> Self {
        Self { inner: Arc::new(Inner { sites, ..self.inner.like() }) }
    }

    /// The same tee, writing as the proxy itself: for what no client asks for.
    #[must_use]
    pub fn as_proxy(&self) -> Self {
        self.acting_as(self.inner.own.clone())
    }

    /// The lock of an object that was written then, by the rules in force.
    pub fn lock_of(&self, at: &Location, written: OffsetDateTime) -> Option<Lock> {
        self.inner.keeps.as_ref().and_then(|keeps| keeps(at, written))
    }

    /// The sites.
    pub fn sites(&self) -> &Sites {
        &self.inner.sites
    }

    /// The per-key commit lock (also for the replication worker). Never take a second one while holding one.
    pub async fn lock(&self, at: &Location) -> KeyGuard {
        self.inner.locks.one(at).await
    }

    /// Whether a change of this object is under way here.
    pub fn is_changing(&self, at: &Location) -> bool {
        self.inner.misses.is_changing(at)
    }

    /// A read found what a site holds of this object damaged: it is made good later, from a copy that authenticates. Never waits.
    pub fn damaged(&self, site: &SiteName, at: &Location, why: &str) {
        self.inner.misses.damaged(site, at, why);
    }

    /// For whoever changes a backup's object otherwise than through the tee: an intent that is durable already.
    ///
    /// # Errors
    /// When it cannot be written; nothing may be changed then.
    pub async fn intent_to_level(&self, at: &Location) -> Result<Intent, MissError> {
        let mut intent = self.intend(&at.bucket, std::slice::from_ref(&at.key), None);
        intent.arm().await?;
        Ok(intent)
    }

    fn intend(&self, bucket: &BucketName, keys: &[ObjectKey], retain_until: Option<i64>) -> Intent {
        self.inner.misses.intend(Change { bucket: bucket.clone(), keys: keys.to_vec(), retain_until })
    }

    /// Starts a PUT of exactly `length` sealed bytes.
    pub fn put(
        &self,
        at: &Location,
        length: u64,
        headers: ObjectHeaders,
        condition: WriteCondition,
        mode: Mode,
    ) -> TeeWrite {
        let request = Request::Put { headers, condition };
        let requests = self.inner.sites.all().map(|site| (site.clone(), request.clone())).collect();
        TeeWrite::start(Arc::clone(&self.inner), at, mode, length, requests)
    }

    /// Starts an UploadPart at the sites of `uploads`. A backup that fails is reported in `Committed::pending` (not recorded
    /// as a miss: the caller takes it out of the upload and Complete records it).
    pub fn part(&self, at: &Location, uploads: &SiteUploads, part: u16, length: u64, mode: Mode) -> TeeWrite {
        let request = |upload: &String| Request::Part { upload: upload.clone(), number: part };
        let upload_of = |site: &Site| uploads.iter().find(|(name, _)| name == site.name());
        let taking_part = self.inner.sites.all().filter_map(|site| Some((site.clone(), request(&upload_of(site)?.1))));
        TeeWrite::start(Arc::clone(&self.inner), at, mode, length, taking_part.collect())
    }
}
