//! Are the sites the same? Both listings side by side, and where asked for the objects' content; what differs can be
//! repaired from the good side.
//!
//! | file | what it holds |
//! |---|---|
//! | [`merge`] | two listings in one pass, bounded memory |
//! | [`finding`] | what was found of one object, and how it is shown |
//! | [`judge`] | from two listed entries to a finding |
//! | [`heal`] | one object that a read found damaged |
//! | [`repair`] | which side is good, and the copy |
//!
//! The comparison needs no key: sizes and sealed ETags, and where those differ for a reason (parts cut elsewhere) the
//! trailers. Only what reads content (`--sample`, `--all`, `--repair`) needs the keyring. What the journal knows to be
//! missing at a backup is reported and left to the replication worker.
mod finding;
mod heal;
mod judge;
pub(super) mod merge;
mod repair;

use super::object::Opener;
use super::sample::Depth;
use crate::s3::{BucketName, ObjectKey};
use crate::site::tee::Tee;
use crate::site::{Location, Site, SiteName};
use crate::state::State;
pub use finding::{Finding, Symbol, Tally};
use futures_util::StreamExt;
pub use heal::Physician;
use judge::Judge;
use std::sync::Arc;

/// What is compared, and how.
#[derive(Clone)]
pub struct Reconcile {
    /// The sites, and the commit locks of whoever else writes in this process.
    pub tee: Tee,
    /// Opens content; `None`: listings only, and nothing is repaired.
    pub opener: Option<Opener>,
    /// Knows what a backup is about to get; `None`: nobody does.
    pub state: Option<State>,
    /// How closely.
    pub depth: Depth,
    /// Whether differences are repaired.
    pub repair: bool,
    /// Whose version counts where both are authentic and it is not plain which is newer.
    pub prefer: Option<SiteName>,
    /// Objects looked at at once.
    pub parallel: usize,
}

/// Told of everything as it is found.
pub trait Report: Send {
    /// One object, or one bucket as a whole (an error).
    fn found(&mut self, finding: &Finding);
}

// === impl Reconcile ===

impl Reconcile {
    /// Compares the primary with every backup, bucket by bucket, below a prefix.
    pub async fn run(&self, buckets: &[BucketName], prefix: &str, report: &mut dyn Report) -> Tally {
        let mut tally = Tally::default();
        for backup in self.tee.sites().backups.iter() {
            for bucket in buckets {
                self.bucket(backup, bucket, prefix, &mut |finding| {
                    tally.count(&finding);
                    report.found(&finding);
                })
                .await;
            }
        }
        tally
    }

    async fn bucket(&self, backup: &Site, bucket: &BucketName, prefix: &str, found: &mut (dyn FnMut(Finding) + Send)) {
        let primary = &self.tee.sites().primary;
        let pairs = merge::merge(merge::listing(primary, bucket, prefix), merge::listing(backup, bucket, prefix));
        let judge = Arc::new(Judge { all: self.clone(), backup: backup.clone() });
        let findings = pairs.map(|pair| {
            let (judge, bucket) = (judge.clone(), bucket.clone());
            async move {
                let pair = match pair {
                    Ok(pair) => pair,
                    Err(error) => return Finding::error(judge.backup.name(), &bucket, "", error.to_string()),
                };
                let Ok(key) = ObjectKey::parse(&pair.key) else {
                    let why = "the key is longer than S3 allows".to_owned();
                    return Finding::error(judge.backup.name(), &bucket, &pair.key, why);
                };
                let at = Location { bucket, key };
                if judge.is_plainly_same(&at, &pair) {
                    return Finding::new(judge.backup.name(), &at, Symbol::Same);
                }
                // A task of its own: content is decrypted on every core.
                let (name, task_at) = (judge.backup.name().clone(), at.clone());
                let task = tokio::spawn(async move { judge.look(&at, &pair).await });
                task.await.unwrap_or_else(|broken| {
                    Finding::error(&name, &task_at.bucket, task_at.key.as_str(), broken.to_string())
                })
            }
        });
        let mut findings = Box::pin(findings.buffered(self.parallel.max(1)));
        while let Some(finding) = findings.next().await {
            found(finding);
        }
    }
}
