//! Versions of objects, through the SDK door: listings, and which version at one site is which at another.
//!
//! Every site makes up its own version ids. What two sites have in common is what they store: a sealed object is never written
//! twice with the same bytes (its salt is random), so its ETag names it at every site. A delete marker has no bytes; it is
//! known by the object below it and its place among the markers above that.
use super::bucket::instant;
use super::error::SiteError;
use super::listing::{ListedOwner, decoded, owner};
use super::object::Location;
use super::site::{Site, Sites};
use crate::s3::{BucketName, SealedETag, SealedLen};
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion};
use time::OffsetDateTime;

/// The id of what was written while a bucket was not versioned; the same at every site.
pub const NULL_VERSION: &str = "null";

/// One version or delete marker in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// Key.
    pub key: String,
    /// The site's id of it.
    pub version_id: String,
    /// Whether it is what a plain read sees.
    pub is_latest: bool,
    /// When it was written.
    pub last_modified: OffsetDateTime,
    /// Whose it is there; not every site says so.
    pub owner: Option<ListedOwner>,
    /// Sealed size, ETag and storage class; `None`: a delete marker.
    pub object: Option<VersionObject>,
}

/// A version that has bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionObject {
    /// Sealed size.
    pub size: SealedLen,
    /// Sealed ETag.
    pub etag: Option<SealedETag>,
    /// Storage class.
    pub storage_class: Option<String>,
}

/// A page of versions: keys in order, each key's versions from the newest to the oldest.
#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    /// Versions and markers.
    pub versions: Vec<ListedVersion>,
    /// Common prefixes.
    pub common_prefixes: Vec<String>,
    /// More to come.
    pub truncated: bool,
    /// Where to go on.
    pub next_key_marker: Option<String>,
    /// Where to go on within that key.
    pub next_version_marker: Option<String>,
}

/// What to list.
#[derive(Clone, Debug)]
pub struct VersionQuery {
    /// Bucket.
    pub bucket: BucketName,
    /// Prefix.
    pub prefix: String,
    /// Delimiter.
    pub delimiter: Option<String>,
    /// Go on behind this key, or within it when there is a version marker.
    pub key_marker: Option<String>,
    /// Go on behind this version.
    pub version_marker: Option<String>,
    /// At most so many (0..=1000).
    pub max_keys: u32,
}

impl Site {
    /// One page of versions.
    ///
    /// # Errors
    /// 404 `NoSuchBucket`, 501 where the site has no versions.
    pub async fn list_versions(&self, query: &VersionQuery) -> Result<VersionPage, SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner
                .sdk
                .list_object_versions()
                .bucket(inner.bucket(&query.bucket))
                .prefix(&query.prefix)
                .set_delimiter(query.delimiter.clone())
                .set_key_marker(query.key_marker.clone())
                .set_version_id_marker(query.version_marker.clone())
                .max_keys(i32::try_from(query.max_keys.min(1000)).unwrap_or(1000))
                .encoding_type(EncodingType::Url);
            call.send().await.map_err(|e| inner.sdk_error(e))
        };
        let answer = inner.watched("list_versions", request).await?;
        page(answer).ok_or_else(|| inner.nonsense("a listing whose keys are not UTF-8"))
    }

    /// Every version and marker of one key, newest first. Asked as the proxy: no client asks for it, and whoever acts may not be allowed to list.
    ///
    /// # Errors
    /// As [`Site::list_versions`].
    pub async fn versions_of(&self, at: &Location) -> Result<Vec<ListedVersion>, SiteError> {
        let mut query = VersionQuery {
            bucket: at.bucket.clone(),
            prefix: at.key.as_str().to_owned(),
            delimiter: None,
            key_marker: None,
            version_marker: None,
            max_keys: 1000,
        };
        let mut all = Vec::new();
        loop {
            let page = self.as_proxy().list_versions(&query).await?;
            let others = page.versions.iter().any(|version| version.key != at.key.as_str());
            all.extend(page.versions.into_iter().filter(|version| version.key == at.key.as_str()));
            // Longer keys with this prefix come after it.
            if others || !page.truncated {
                return Ok(all);
            }
            (query.key_marker, query.version_marker) = (page.next_key_marker, page.next_version_marker);
            if query.key_marker.is_none() {
                return Err(self.inner.nonsense("a truncated listing that does not go on"));
            }
        }
    }
}

impl Sites {
    /// What `site` calls the version that the primary calls `version`; `None` when it does not have it.
    ///
    /// # Errors
    /// As [`Site::list_versions`], of either site.
    pub async fn version_at(&self, site: &Site, at: &Location, version: &str) -> Result<Option<String>, SiteError> {
        if site.name() == self.primary.name() || version == NULL_VERSION {
            return Ok(Some(version.to_owned()));
        }
        let (ours, theirs) = tokio::try_join!(self.primary.versions_of(at), site.versions_of(at))?;
        Ok(counterpart(&ours, version, &theirs))
    }
}

/// The version in `theirs` that is the same as `version` in `ours`; both of one key, newest first.
pub(super) fn counterpart(ours: &[ListedVersion], version: &str, theirs: &[ListedVersion]) -> Option<String> {
    let identity = identities(ours).find(|(id, _)| *id == version)?.1;
    identities(theirs).find(|(_, other)| *other == identity).map(|(id, _)| id.to_owned())
}

/// The versions in `ours` that are newer than the newest one which `theirs` has as well, oldest first; both of one key, newest first.
pub fn missing_on_top<'a>(ours: &'a [ListedVersion], theirs: &[ListedVersion]) -> Vec<&'a ListedVersion> {
    let held: Vec<_> = identities(theirs).map(|(_, identity)| identity).collect();
    // From the oldest on; whatever comes behind a version that is held is missing so far.
    let mut missing = Vec::new();
    for ((_, identity), version) in identities(ours).zip(ours.iter().rev()) {
        if held.contains(&identity) { missing.clear() } else { missing.push(version) }
    }
    missing
}

/// Every version with what it is known by: the ETag of the newest object at or below it, and how many markers it stands above that.
fn identities(versions: &[ListedVersion]) -> impl Iterator<Item = (&str, (Option<&SealedETag>, usize))> {
    let (mut below, mut markers) = (None, 0);
    versions.iter().rev().map(move |version| {
        match &version.object {
            Some(object) => (below, markers) = (object.etag.as_ref(), 0),
            None => markers += 1,
        }
        (version.version_id.as_str(), (below, markers))
    })
}

/// `None` when a key does not decode to UTF-8.
fn page(answer: ListObjectVersionsOutput) -> Option<VersionPage> {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let decode = |text: &str| if encoded { decoded(text) } else { Some(text.to_owned()) };
    let objects = answer.versions().iter().map(|version| object(version, decode));
    let markers = answer.delete_markers().iter().map(|entry| marker(entry, decode));
    let mut versions = objects.chain(markers).collect::<Option<Vec<_>>>()?;
    // The SDK gives two lists. Within a key the newest comes first, the latest before all; times have a resolution of a
    // second at some sites, and a stable sort then keeps the site's own order of objects.
    versions.sort_by(|a, b| {
        a.key.cmp(&b.key).then(b.is_latest.cmp(&a.is_latest)).then(b.last_modified.cmp(&a.last_modified))
    });
    let prefixes = answer.common_prefixes().iter().filter_map(|common| common.prefix());
    let common_prefixes = prefixes.map(decode).collect::<Option<Vec<_>>>()?;
    let next_key_marker = answer.next_key_marker().filter(|marker| !marker.is_empty()).map(decode);
    let next_key_marker = next_key_marker.map_or(Some(None), |marker| marker.map(Some))?;
    let truncated = answer.is_truncated().unwrap_or(false) && next_key_marker.is_some();
    let next_version_marker = answer.next_version_id_marker.filter(|marker| !marker.is_empty());
    Some(VersionPage { versions, common_prefixes, truncated, next_key_marker, next_version_marker })
}

fn object(version: &ObjectVersion, decode: impl Fn(&str) -> Option<String>) -> Option<ListedVersion> {
    Some(ListedVersion {
        key: decode(version.key()?)?,
        version_id: version.version_id().unwrap_or(NULL_VERSION).to_owned(),
        is_latest: version.is_latest().unwrap_or(false),
        last_modified: version.last_modified().and_then(instant).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        owner: version.owner().and_then(owner),
        object: Some(VersionObject {
            size: SealedLen(version.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0)),
            etag: version.e_tag().filter(|etag| !etag.is_empty()).map(SealedETag::from_backend),
            storage_class: version.storage_class().map(|class| class.as_str().to_owned()),
        }),
    })
}

fn marker(entry: &DeleteMarkerEntry, decode: impl Fn(&str) -> Option<String>) -> Option<ListedVersion> {
    Some(ListedVersion {
        key: decode(entry.key()?)?,
        version_id: entry.version_id().unwrap_or(NULL_VERSION).to_owned(),
        is_latest: entry.is_latest().unwrap_or(false),
        last_modified: entry.last_modified().and_then(instant).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        owner: entry.owner().and_then(owner),
        object: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name=etag` for an object, `name` for a marker; newest first.
    fn history(text: &str) -> Vec<ListedVersion> {
        let version = |entry: &str| {
            let (id, etag) = entry.split_once('=').map_or((entry, None), |(id, etag)| (id, Some(etag)));
            ListedVersion {
                key: "k".to_owned(),
                version_id: id.to_owned(),
                is_latest: false,
                last_modified: OffsetDateTime::UNIX_EPOCH,
                owner: None,
                object: etag.map(|etag| VersionObject {
                    size: SealedLen(1),
                    etag: Some(SealedETag::from_backend(etag)),
                    storage_class: None,
                }),
            }
        };
        text.split_whitespace().map(version).collect()
    }

    #[test]
    fn an_object_is_known_by_its_etag_and_a_marker_by_what_it_lies_on() {
        let primary = history("p6 p5=e3 p4 p3 p2=e2 p1=e1 p0");
        let backup = history("b7 b6=e3 b5 b4 b3=e2 b2=e1 b1");
        let same = |version| counterpart(&primary, version, &backup);
        for (ours, theirs) in [("p5", "b6"), ("p1", "b2"), ("p6", "b7"), ("p4", "b5"), ("p3", "b4"), ("p0", "b1")] {
            assert_eq!(same(ours).as_deref(), Some(theirs), "{ours}");
        }
        assert_eq!(same("unknown"), None);
    }

    #[test]
    fn what_was_missed_is_what_lies_above_the_newest_version_of_both() {
        let missed = |ours: &str, theirs: &str| {
            let (ours, theirs) = (history(ours), history(theirs));
            let missed = missing_on_top(&ours, &theirs);
            missed.into_iter().map(|version| version.version_id.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(missed("p5=e5 p4 p3=e3 p2=e2 p1=e1", "b2=e2 b1=e1"), "p3 p4 p5");
        assert_eq!(missed("p3 p2 p1=e1", "b2 b1=e1"), "p3", "one marker of two");
        assert_eq!(missed("p2=e2 p1=e1", "b2=e2 b1=e1"), "");
        assert_eq!(missed("p3=e3 p2=e2 p1=e1", "b2=e3 b1=e1"), "", "nothing can be put below");
        assert_eq!(missed("p2=e2 p1=e1", ""), "p1 p2");
        assert_eq!(missed("", "b1=e1"), "");
    }

    #[test]
    fn what_a_backup_lacks_has_no_counterpart_there() {
        let primary = history("p3 p2=e2 p1=e1");
        assert_eq!(counterpart(&primary, "p2", &history("b1=e1")), None);
        assert_eq!(counterpart(&primary, "p3", &history("b2=e2 b1=e1")), None);
        assert_eq!(counterpart(&primary, "p1", &history("b1=e1")).as_deref(), Some("b1"));
    }
}
