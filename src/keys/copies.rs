//! What each site holds of one vault key, which copy is right, and bringing the others up to it.
use super::record::{PREFIX, Record};
use super::{KeyError, RootKey};
use crate::s3::{BucketName, ObjectKey, SealedETag};
use crate::seal::{Entropy, SealError, VaultKeyId};
use crate::site::{ListQuery, Location, Site, SiteError, Sites, WriteCondition};
use bytes::Bytes;
use std::collections::BTreeSet;

/// One site's copy of a key's file.
pub(super) enum Copy {
    Good(Record, SealedETag),
    /// There, but it does not open.
    Bad(SealError, SealedETag),
    /// The site said that there is none.
    Absent,
    /// The site could not be asked.
    Unknown(SiteError),
}

/// Every site's copy of one key, primary first.
pub(super) struct Copies {
    id: VaultKeyId,
    found: Vec<(Site, Copy)>,
}

// === impl Copies ===

impl Copies {
    /// Asks every site.
    pub(super) async fn read(root: &RootKey, sites: &Sites, at: &Location, id: &VaultKeyId) -> Self {
        let asked = sites.all().map(|site| async move {
            let copy = match site.get_small(at).await {
                Ok((bytes, etag)) => match Record::open(root, id.as_str(), &bytes) {
                    Ok(record) => Copy::Good(record, etag),
                    Err(error) => Copy::Bad(error, etag),
                },
                Err(error) if error.is_not_found() => Copy::Absent,
                Err(error) => Copy::Unknown(error),
            };
            (site.clone(), copy)
        });
        Self { id: id.clone(), found: futures_util::future::join_all(asked).await }
    }

    /// The newest good copy. `None` only when every site said for certain that it has none.
    pub(super) fn newest(&self) -> Result<Option<&Record>, KeyError> {
        let mut newest: Option<&Record> = None;
        for (site, copy) in &self.found {
            let Copy::Good(record, _) = copy else { continue };
            match newest {
                Some(known) if known.serial == record.serial && known != record => {
                    return Err(KeyError::Conflict(format!(
                        "{} holds another {} of serial {}",
                        site.name(),
                        self.id,
                        record.serial
                    )));
                }
                Some(known) if known.serial >= record.serial => {}
                _ => newest = Some(record),
            }
        }
        if newest.is_some() {
            self.warn_of_bad_copies();
            return Ok(newest);
        }
        match self.found.iter().find(|(_, copy)| !matches!(copy, Copy::Absent)) {
            Some((site, Copy::Bad(error, _))) => {
                Err(KeyError::WrongRoot { site: site.name().to_string(), source: error.clone() })
            }
            Some((site, Copy::Unknown(error))) => Err(KeyError::Unsettled(format!(
                "no site shows the vault key {}, and {} cannot be asked whether it has it ({error}); start again when it answers",
                self.id,
                site.name()
            ))),
            _ => Ok(None),
        }
    }

    /// Brings every reachable site to `record`; how many sites still lack it.
    pub(super) async fn level(
        &self,
        root: &RootKey,
        at: &Location,
        record: &Record,
        entropy: &dyn Entropy,
    ) -> Result<usize, KeyError> {
        let mut lacking = 0;
        for (site, copy) in &self.found {
            let condition = match copy {
                Copy::Good(known, _) if known.serial == record.serial => continue,
                Copy::Good(_, etag) | Copy::Bad(_, etag) if site.capabilities().put_if_match => {
                    WriteCondition::IfMatch(etag.clone())
                }
                Copy::Absent if site.capabilities().put_if_none_match => WriteCondition::IfAbsent,
                _ => WriteCondition::Always,
            };
            let sealed = Bytes::from(record.seal(root, entropy)?);
            if let Err(error) = site.put_small(at, sealed, &condition).await {
                tracing::warn!(site = %site.name(), key = %self.id, %error, "the keyring's copy is not up to date; tried again later");
                lacking += 1;
            }
        }
        Ok(lacking)
    }

    fn warn_of_bad_copies(&self) {
        for (site, copy) in &self.found {
            if let Copy::Bad(error, _) = copy {
                tracing::error!(site = %site.name(), key = %self.id, %error, "the keyring's copy is damaged; it is replaced from another site");
            }
        }
    }
}

/// Creates a key that no site has: at the primary under `If-None-Match: *`. False when somebody else was first.
pub(super) async fn create(
    root: &RootKey,
    sites: &Sites,
    at: &Location,
    id: &VaultKeyId,
    entropy: &dyn Entropy,
) -> Result<bool, KeyError> {
    let primary = &sites.primary;
    if !primary.capabilities().put_if_none_match {
        let what = format!(
            "{} does not honour If-None-Match on PUT, so the vault key {id} cannot be created safely",
            primary.name()
        );
        return Err(KeyError::Unsettled(what));
    }
    let sealed = Record::create(id, entropy)?.seal(root, entropy)?;
    match primary.put_small(at, Bytes::from(sealed), &WriteCondition::IfAbsent).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_precondition_failed() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The names of all keys that any reachable site lists.
pub(super) async fn listed(sites: &Sites, bucket: &BucketName) -> BTreeSet<VaultKeyId> {
    let mut ids = BTreeSet::new();
    for site in sites.all() {
        let mut after = None;
        loop {
            let query = ListQuery {
                bucket: bucket.clone(),
                prefix: PREFIX.to_owned(),
                delimiter: None,
                token: None,
                start_after: after.take(),
                max_keys: 1000,
            };
            let Ok(page) = site.list(&query).await else { break };
            let names = page.objects.iter().filter_map(|object| object.key.strip_prefix(PREFIX));
            ids.extend(names.filter_map(|name| VaultKeyId::parse(name).ok()));
            after = page.objects.last().map(|object| object.key.clone()).filter(|_| page.truncated);
            if after.is_none() {
                break;
            }
        }
    }
    ids
}

/// Where a key's file lies.
pub(super) fn location(bucket: &BucketName, id: &VaultKeyId) -> Result<Location, KeyError> {
    let key = ObjectKey::parse(&format!("{PREFIX}{id}"));
    let key = key.map_err(|error| KeyError::Unsettled(format!("the name of the vault key {id}: {error}")))?;
    Ok(Location { bucket: bucket.clone(), key })
}
