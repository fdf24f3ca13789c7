//! A restore drill: could everything be had back with one backup site and the escrowed root key alone?
//!
//! | file | what it holds |
//! |---|---|
//! | [`report`] | what is said of it |
//! | [`signature`] | and signed |
//! | [`html`] | the same for people |
//! | [`manifest`] | a listing of the primary, exported before |
//! | [`sockets`] | which connections the process has |
//!
//! The work is done by a process that is given one site and nothing else (`cli/drill`): no address and no credential of
//! any other, no environment. It restores a sample that a seed decides, reads every byte, and measures.
mod html;
mod manifest;
mod report;
mod signature;
mod sockets;

use super::buckets;
use super::object::{Opener, ReadError};
use super::pace::Pace;
use super::reconcile::merge;
use super::restore::{Destination, Done, Form, Restore, RestoreError};
use super::ring::{self, RingError};
use super::sample::{Seed, Smallest};
use crate::clock;
use crate::keys::RootKey;
use crate::s3::{Aliases, BucketName};
use crate::site::{Site, SiteError};
use futures_util::StreamExt;
pub use html::page;
use manifest::Comparison;
pub use manifest::{ManifestError, export};
pub use report::{Attempt, FORMAT, Held, Isolation, ManifestCheck, Measure, Report, Sample, Sampled};
pub use signature::{SignatureError, Signed, SigningKey};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// What a drill works with. Nothing else is known to it.
pub struct Drill {
    /// The one site.
    pub site: Site,
    /// Its address, for the report.
    pub endpoint: String,
    /// The sites that were withheld: nothing is known of them but where they are, and that is for trying in vain.
    pub withheld: Vec<Withheld>,
    /// The bucket with the keyring.
    pub system_bucket: BucketName,
    /// Names under which objects may have been sealed.
    pub aliases: Aliases,
    /// The buckets; empty: all of the site.
    pub buckets: Vec<BucketName>,
    /// How many objects are restored.
    pub sample: usize,
    /// Which ones.
    pub seed: Seed,
    /// Where they are restored to.
    pub folder: PathBuf,
    /// The primary's listing, where it was exported.
    pub manifest: Option<PathBuf>,
}

/// Why no report could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// The site.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The keyring.
    #[error("the keyring at the site does not open with the escrowed root key: {0}")]
    Ring(#[from] RingError),
    /// There is none.
    #[error("the site has no keyring: nothing could be restored from it")]
    NoKeyring,
    /// A listing.
    #[error("{0}")]
    List(String),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// A site that must not be reached.
pub struct Withheld {
    /// Its name.
    pub name: String,
    /// A client of it, with a credential that is none.
    pub site: Site,
    /// Its address.
    pub endpoint: String,
}

/// Sampled before it is restored: bucket, key, sealed bytes.
type Chosen = (String, String, u64);

// === impl Drill ===

impl Drill {
    /// Restores and measures.
    ///
    /// # Errors
    /// When it cannot be begun. Objects that are not right are in the report.
    pub async fn run(&self, root: RootKey) -> Result<Report, DrillError> {
        let (began, started) = (clock::now(), Instant::now());
        let fingerprint = root.fingerprint();
        let keyring = ring::open(&self.site, &self.system_bucket, root.into()).await?.ok_or(DrillError::NoKeyring)?;
        let opener =
            Opener { keyring: Arc::new(keyring), aliases: self.aliases.clone(), pace: Arc::new(Pace::default()) };
        let (held, chosen, manifest) = self.survey().await?;
        let prepared = started.elapsed();
        let mut attempts = self.attempts().await;
        let mut connections = BTreeSet::new();
        let mut objects = Vec::new();
        for (bucket, key, sealed) in chosen {
            objects.push((self.restore(&opener, &bucket, &key).await, sealed));
            connections.extend(sockets::peers());
        }
        let (restoring, ended) = (started.elapsed().saturating_sub(prepared), clock::now());
        let sealed_bytes: u64 = objects.iter().map(|(_, sealed)| sealed).sum();
        let rto = recovery_time(prepared, restoring, (objects.len() as u64, sealed_bytes), &held);
        attempts.extend(self.attempts().await);
        let isolated = attempts.iter().all(|attempt| attempt.refused);
        let objects: Vec<Sampled> = objects.into_iter().map(|(object, _)| object).collect();
        let good = |object: &&Sampled| object.problem.is_none();
        let plain_bytes = objects.iter().filter(good).map(|object| object.bytes).sum();
        let milliseconds = u64::try_from((prepared + restoring).as_millis()).unwrap_or(u64::MAX);
        Ok(Report {
            format: FORMAT,
            passed: isolated && !objects.is_empty() && objects.iter().all(|object| good(&object)),
            started: shown(began),
            ended: shown(ended),
            ended_at: ended.unix_timestamp(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            isolation: Isolation {
                site: self.site.name().to_string(),
                endpoint: self.endpoint.clone(),
                withheld: self.withheld.iter().map(|withheld| withheld.name.clone()).collect(),
                attempts,
                connections: connections.into_iter().collect(),
                environment: std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect(),
                root_key: fingerprint,
            },
            rpo: recovery_point(began.unix_timestamp(), manifest.as_ref(), &held),
            held,
            sample: Sample { asked: self.sample as u64, seed: self.seed.0, objects, plain_bytes, milliseconds },
            manifest: manifest.map(|comparison| comparison.check),
            rto,
        })
    }

    /// Tries to reach what was withheld. A connection of whatever kind is one too many, and the report then says that the drill failed.
    async fn attempts(&self) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for Withheld { name, site, endpoint } in &self.withheld {
            let answer = site.head_bucket(&self.system_bucket).await;
            let refused = matches!(&answer, Err(SiteError::Unreachable { .. }));
            let outcome = answer.map_or_else(|error| error.to_string(), |()| "it answered".to_owned());
            attempts.push(Attempt { site: name.clone(), endpoint: endpoint.clone(), refused, outcome });
        }
        attempts
    }

    /// Goes through everything that the site lists, once.
    async fn survey(&self) -> Result<(Held, Vec<Chosen>, Option<Comparison>), DrillError> {
        let mut buckets = match self.buckets.is_empty() {
            true => buckets::all([&self.site], &self.system_bucket).await?,
            false => self.buckets.clone(),
        };
        buckets.sort();
        let mut manifest = self.manifest.as_deref().map(Comparison::open).transpose()?;
        let mut held = Held { buckets: buckets.iter().map(ToString::to_string).collect(), ..Held::default() };
        let mut smallest = Smallest::new(self.sample, self.seed);
        for bucket in &buckets {
            let mut listing = merge::listing(&self.site, bucket, "");
            while let Some(object) = listing.next().await {
                let object = object.map_err(|e| DrillError::List(e.to_string()))?;
                held.objects += 1;
                held.sealed_bytes += object.size.0;
                held.newest = held.newest.max(object.last_modified.unix_timestamp());
                if let Some(manifest) = &mut manifest {
                    manifest.offer(bucket.as_str(), &object)?;
                }
                let size = object.size.0;
                smallest.offer(bucket.as_str(), &object.key, (bucket.to_string(), object.key.clone(), size));
            }
        }
        if let Some(manifest) = &mut manifest {
            manifest.end()?;
        }
        Ok((held, smallest.into_items().collect(), manifest))
    }

    async fn restore(&self, opener: &Opener, bucket: &str, key: &str) -> Sampled {
        let (named, content_not_checked) = ((bucket.to_owned(), key.to_owned()), false);
        let sampled = |bytes, problem| Sampled {
            bucket: named.0.clone(),
            key: named.1.clone(),
            bytes,
            content_not_checked,
            problem,
        };
        let Ok(name) = BucketName::parse(bucket) else {
            return sampled(0, Some("its bucket has no valid name".into()));
        };
        let job = Restore {
            opener: opener.clone(),
            from: self.site.clone(),
            bucket: name,
            prefix: String::new(),
            at: None,
            destination: Arc::new(Destination::Folder(self.folder.join(bucket))),
            form: Form::Plain,
            resume: false,
            overwrite: true,
            parallel: 1,
        };
        match job.restore(key).await {
            // Its plaintext nobody here could have; what can be had back is the sealed object.
            Err(RestoreError::Read(ReadError::CustomerKey)) => {
                let done = Restore { form: Form::Sealed, ..job }.restore(key).await;
                Sampled { content_not_checked: true, ..sampled(0, done.err().map(|error| error.to_string())) }
            }
            Ok(Done::Restored(bytes)) => sampled(bytes, None),
            Ok(Done::There) => sampled(0, Some("it was there before it was restored".to_owned())),
            Err(error) => sampled(0, Some(error.to_string())),
        }
    }
}

/// With the primary's listing: the age, when that was exported, of the oldest write that the backup lacks. Without: how old the
/// newest object of the backup is, which is the most that can be lost if the primary was written to until now.
fn recovery_point(now: i64, manifest: Option<&Comparison>, held: &Held) -> Measure {
    let age = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    match manifest {
        Some(comparison) => match comparison.oldest_lost {
            None => Measure { seconds: 0, basis: "the backup has every write of the primary's listing".to_owned() },
            Some(oldest) => Measure {
                seconds: age(oldest, comparison.check.taken),
                basis: "age of the oldest write in the primary's listing that the backup lacks".to_owned(),
            },
        },
        None => Measure {
            seconds: age(held.newest, now),
            basis: "age of the newest object at the backup (no listing of the primary was given, so this is the most)"
                .to_owned(),
        },
    }
}

/// Preparation as measured, and everything at the speed of the sample: by bytes or by objects, whichever takes longer.
fn recovery_time(prepared: Duration, restoring: Duration, sample: (u64, u64), held: &Held) -> Measure {
    let share = |all: u64, part: u64| if part == 0 { 0.0 } else { all as f64 / part as f64 };
    let factor = share(held.objects, sample.0).max(share(held.sealed_bytes, sample.1));
    let seconds = prepared.as_secs_f64() + restoring.as_secs_f64() * factor;
    Measure {
        seconds: seconds.ceil() as u64,
        basis: format!(
            "keyring and listing {} ms, then all {} objects one after the other at the speed of the sample ({} objects \
             in {} ms); restores in parallel are faster",
            prepared.as_millis(),
            held.objects,
            sample.0,
            restoring.as_millis()
        ),
    }
}

fn shown(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_time_grows_with_what_there_is_to_restore() {
        let second = Duration::from_secs(1);
        let held = Held { objects: 1_000, sealed_bytes: 1_000_000, ..Held::default() };
        assert_eq!(recovery_time(second, second, (10, 100_000), &held).seconds, 101, "by objects");
        assert_eq!(recovery_time(second, second, (1_000, 1_000), &held).seconds, 1_001, "by bytes");
        assert_eq!(recovery_time(second, Duration::ZERO, (0, 0), &Held::default()).seconds, 1);
    }

    #[test]
    fn without_a_listing_of_the_primary_the_newest_object_bounds_the_loss() {
        let held = Held { newest: 900, ..Held::default() };
        let point = recovery_point(1_000, None, &held);
        assert!(point.seconds == 100 && point.basis.contains("the most"));
    }
}
