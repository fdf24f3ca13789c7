//! Asking every site what keyring it holds.
use super::KeyError;
use super::document::{Document, DocumentError, PREFIX, object_name};
use super::roots::Roots;
use crate::s3::{BucketName, ObjectKey, SealedETag};
use crate::seal::{SealError, VaultKeyId};
use crate::site::{ListQuery, Location, Site, SiteError, Sites};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// Copies that are read at once from one site.
const AT_ONCE: usize = 16;

/// One site's copy of one keyring object.
pub(super) enum Copy {
    /// The site says for certain that it has none.
    Missing,
    /// Authentic.
    Good { document: Box<Document>, sealed: Bytes, etag: SealedETag },
    /// Does not open under our root key. Never overwritten by us: it may be somebody's only copy.
    Closed(SealError),
}

/// What one site answered: a copy per key, or why it could not be asked.
pub(super) struct Answer {
    pub(super) site: Site,
    pub(super) copies: Result<BTreeMap<VaultKeyId, Copy>, SiteError>,
}

/// Asks all sites at once for the keys in `wanted` and every other key that any of them lists.
///
/// # Errors
/// [`KeyError::Malformed`] for a copy that opens and makes no sense: it was written by a newer build or a bug, and
/// going on with an older copy could undo what it says.
pub(super) async fn survey(
    roots: &Roots,
    sites: &Sites,
    bucket: &BucketName,
    wanted: &[VaultKeyId],
) -> Result<Vec<Answer>, KeyError> {
    let listed = join_all(sites.all().map(|site| listed(site, bucket))).await;
    let mut ids: BTreeSet<VaultKeyId> = wanted.iter().cloned().collect();
    ids.extend(listed.iter().flatten().flatten().cloned());
    let answers = sites.all().zip(listed).map(|(site, listed)| answer(roots, site, bucket, &ids, listed.err()));
    join_all(answers).await.into_iter().collect()
}

async fn answer(
    roots: &Roots,
    site: &Site,
    bucket: &BucketName,
    ids: &BTreeSet<VaultKeyId>,
    unreachable: Option<SiteError>,
) -> Result<Answer, KeyError> {
    let mut copies = BTreeMap::new();
    if let Some(error) = unreachable {
        return Ok(Answer { site: site.clone(), copies: Err(error) });
    }
    let asked: Vec<_> = ids.iter().map(|id| async move { (id, copy(roots, site, bucket, id).await) }).collect();
    let mut asked = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((id, found)) = asked.next().await {
        match found {
            Ok(copy) => copies.insert(id.clone(), copy),
            Err(KeyError::Site(error)) => return Ok(Answer { site: site.clone(), copies: Err(error) }),
            Err(error) => return Err(error),
        };
    }
    Ok(Answer { site: site.clone(), copies: Ok(copies) })
}

/// Asks all sites at once for one key.
///
/// # Errors
/// As [`survey`].
pub(super) async fn ask(
    roots: &Roots,
    sites: &Sites,
    bucket: &BucketName,
    id: &VaultKeyId,
) -> Result<Vec<Answer>, KeyError> {
    let ids = BTreeSet::from([id.clone()]);
    let ids = &ids;
    let answers = sites.all().map(|site| async move {
        let unreachable = ensure_bucket(site, bucket).await.err();
        answer(roots, site, bucket, ids, unreachable).await
    });
    join_all(answers).await.into_iter().collect()
}

/// The copy of one key at one site.
///
/// # Errors
/// [`KeyError::Site`] when the site gave no definite answer; [`KeyError::Malformed`].
pub(super) async fn copy(roots: &Roots, site: &Site, bucket: &BucketName, id: &VaultKeyId) -> Result<Copy, KeyError> {
    let (sealed, etag) = match site.get_small(&location(bucket, id)?).await {
        Err(error) if error.is_not_found() => return Ok(Copy::Missing),
        other => other?,
    };
    match roots.open(id, &sealed) {
        Ok(document) => Ok(Copy::Good { document: Box::new(document), sealed, etag }),
        Err(DocumentError::Closed(source)) => Ok(Copy::Closed(source)),
        Err(DocumentError::Malformed(detail)) => Err(KeyError::Malformed { site: site.name().to_string(), detail }),
    }
}

/// Where a key's object lies.
pub(super) fn location(bucket: &BucketName, id: &VaultKeyId) -> Result<Location, KeyError> {
    let key = ObjectKey::parse(&object_name(id)).map_err(|e| KeyError::Unsettled(e.to_string()))?;
    Ok(Location { bucket: bucket.clone(), key })
}

/// The keys that a site lists; its system bucket is created when it is missing.
async fn listed(site: &Site, bucket: &BucketName) -> Result<Vec<VaultKeyId>, SiteError> {
    ensure_bucket(site, bucket).await?;
    Ok(listing(site, bucket).await?.into_keys().collect())
}

/// The keys that a site lists, with the ETags of their objects.
pub(super) async fn listing(
    site: &Site,
    bucket: &BucketName,
) -> Result<BTreeMap<VaultKeyId, Option<SealedETag>>, SiteError> {
    let mut query = ListQuery {
        bucket: bucket.clone(),
        prefix: PREFIX.to_owned(),
        delimiter: None,
        token: None,
        start_after: None,
        max_keys: 1000,
    };
    let mut found = BTreeMap::new();
    loop {
        let page = site.list(&query).await?;
        for object in page.objects {
            match VaultKeyId::parse(object.key.strip_prefix(PREFIX).unwrap_or_default()) {
                Ok(id) => drop(found.insert(id, object.etag)),
                Err(_) => tracing::warn!(site = %site.name(), key = object.key, "not a keyring object; left alone"),
            }
        }
        query.token = page.next_token;
        if query.token.is_none() {
            return Ok(found);
        }
    }
}

/// Creates the bucket when the site lacks it.
pub(super) async fn ensure_bucket(site: &Site, bucket: &BucketName) -> Result<(), SiteError> {
    match site.head_bucket(bucket).await {
        Err(error) if error.is_not_found() => {}
        other => return other,
    }
    match site.create_bucket(bucket, None).await {
        // Another proxy that starts at the same time was faster.
        Err(SiteError::S3 { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
        other => other,
    }
}
