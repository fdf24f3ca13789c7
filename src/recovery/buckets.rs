//! Which buckets a job is about.
use crate::s3::BucketName;
use crate::site::{Site, SiteError};
use std::collections::BTreeSet;

/// The buckets of these sites, in order, without the system bucket and names that are no bucket of ours.
///
/// # Errors
/// When a site does not list its buckets.
pub async fn all<'a>(
    sites: impl IntoIterator<Item = &'a Site>,
    system_bucket: &BucketName,
) -> Result<Vec<BucketName>, SiteError> {
    let mut found = BTreeSet::new();
    for site in sites {
        let names = site.list_buckets().await?.into_iter().filter_map(|bucket| BucketName::parse(&bucket.name).ok());
        found.extend(names.filter(|name| name != system_bucket));
    }
    Ok(found.into_iter().collect())
}
