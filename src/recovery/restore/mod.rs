//! A bucket, as it is or as it was, from any site to a folder or to another bucket; plain or sealed; verified to the
//! last byte before anything has its final name.
//!
//! | file | what it holds |
//! |---|---|
//! | [`moment`] | which version of a key there was at a moment |
//! | [`naming`] | keys as paths of files |
//! | [`place`] | where objects go |
mod moment;
mod naming;
mod place;

use super::object::{Opener, ReadError};
use super::reconcile::merge::{self, ListError};
use super::target::TargetError;
use crate::s3::{BucketName, NameError, ObjectKey};
use crate::site::{Location, Site, SiteError};
use futures_util::{Stream, StreamExt, stream};
pub use place::{Destination, Form};
use std::pin::Pin;
use std::sync::Arc;
use time::OffsetDateTime;

/// What is restored, and how.
#[derive(Clone)]
pub struct Restore {
    /// Opens content.
    pub opener: Opener,
    /// From where.
    pub from: Site,
    /// Which bucket.
    pub bucket: BucketName,
    /// Only keys that begin so.
    pub prefix: String,
    /// As it was then; `None`: as it is.
    pub at: Option<OffsetDateTime>,
    /// To where.
    pub destination: Arc<Destination>,
    /// Plaintext, or as it lies at the site.
    pub form: Form,
    /// What is there already and is the same is left; anything else that is there is replaced.
    pub resume: bool,
    /// What is there already is replaced.
    pub overwrite: bool,
    /// Objects restored at once.
    pub parallel: usize,
}

/// Why an object was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It cannot be read, or is not right.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The destination's site.
    #[error("the destination: {0}")]
    Site(SiteError),
    /// The destination's file.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Something is there already.
    #[error("{0} exists already at the destination; allow --overwrite, or --resume an interrupted restore")]
    Exists(String),
    /// No file can have such a name.
    #[error("no file can have this name: {0}")]
    Path(&'static str),
    /// No object can.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A bug.
    #[error("the task broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was restored; plain bytes.
    Restored(u64),
    /// It was there already, the same.
    There,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects restored.
    pub restored: u64,
    /// Their plain bytes.
    pub bytes: u64,
    /// Objects that were there already.
    pub there: u64,
    /// Objects that were not restored.
    pub failed: u64,
}

/// Told of everything.
pub trait Observer: Send {
    /// One object.
    fn object(&mut self, key: &str, outcome: &Result<Done, RestoreError>);
}

/// An object to be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    key: String,
    version: Option<String>,
}

// === impl Restore ===

impl Restore {
    /// Restores everything; goes on after failures.
    ///
    /// # Errors
    /// When the listing fails, or the destination cannot be prepared.
    pub async fn run(&self, observer: &mut dyn Observer) -> Result<Summary, RestoreError> {
        self.destination.prepare().await?;
        let mut summary = Summary::default();
        let work = self.wanted().map(|wanted| async move {
            let wanted = wanted?;
            let (this, task_wanted) = (self.clone(), wanted.clone());
            let result = tokio::spawn(async move { this.one(&task_wanted).await }).await;
            Ok::<_, ListError>((wanted.key, result.unwrap_or_else(|broken| Err(broken.into()))))
        });
        let mut work = Box::pin(work.buffer_unordered(self.parallel.max(1)));
        while let Some(done) = work.next().await {
            let (key, outcome) = done.map_err(listing_failed)?;
            summary.count(&outcome);
            observer.object(&key, &outcome);
        }
        Ok(summary)
    }

    fn wanted(&self) -> Pin<Box<dyn Stream<Item = Result<Wanted, ListError>> + Send + '_>> {
        match self.at {
            Some(at) => Box::pin(moment::wanted(&self.from, &self.bucket, &self.prefix, at)),
            None => {
                let listing = merge::listing(&self.from, &self.bucket, &self.prefix);
                Box::pin(listing.map(|object| object.map(|object| Wanted { key: object.key, version: None })))
            }
        }
    }

    /// Restores one object, as it is.
    pub(super) async fn restore(&self, key: &str) -> Result<Done, RestoreError> {
        self.one(&Wanted { key: key.to_owned(), version: None }).await
    }

    async fn one(&self, wanted: &Wanted) -> Result<Done, RestoreError> {
        let at = Location { bucket: self.bucket.clone(), key: ObjectKey::parse(&wanted.key)? };
        let opened = self.opener.open(&self.from, &at, wanted.version.as_deref()).await?;
        self.destination.take(self, &opened, &at).await
    }
}

// === impl Summary ===

impl Summary {
    fn count(&mut self, outcome: &Result<Done, RestoreError>) {
        match outcome {
            Ok(Done::Restored(bytes)) => {
                self.restored += 1;
                self.bytes += bytes;
            }
            Ok(Done::There) => self.there += 1,
            Err(_) => self.failed += 1,
        }
    }
}

fn listing_failed(error: ListError) -> RestoreError {
    match error {
        ListError::Site(error) => ReadError::Site(error).into(),
        ListError::Order(..) => ReadError::Sink(std::io::Error::other(error.to_string())).into(),
    }
}

/// Pages into items.
fn flat<T: Send + 'static>(
    pages: impl Stream<Item = Result<Vec<T>, SiteError>> + Send,
) -> impl Stream<Item = Result<T, ListError>> + Send {
    pages.flat_map(|page| match page {
        Ok(items) => stream::iter(items.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(ListError::from(error))]),
    })
}
