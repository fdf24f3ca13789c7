//! A versioned bucket as it was at a moment: of every key the newest version that is not younger, unless that is a
//! delete marker.
use super::{ListError, Wanted, flat};
use crate::s3::BucketName;
use crate::site::{ListedVersion, Site, SiteError, VersionQuery};
use futures_util::{Stream, StreamExt, stream};
use time::OffsetDateTime;

/// Goes through versions in the order of a listing: keys ascending, each key's versions from the newest to the oldest.
pub(super) struct Moment {
    at: OffsetDateTime,
    /// The key that is decided.
    decided: Option<String>,
}

// === impl Moment ===

impl Moment {
    pub(super) fn new(at: OffsetDateTime) -> Self {
        Self { at, decided: None }
    }

    /// The version when it is the one that a reader would have seen.
    fn offer(&mut self, version: &ListedVersion) -> Option<Wanted> {
        if self.decided.as_deref() == Some(version.key.as_str()) || version.last_modified > self.at {
            return None;
        }
        self.decided = Some(version.key.clone());
        let wanted = Wanted { key: version.key.clone(), version: Some(version.version_id.clone()) };
        version.object.is_some().then_some(wanted)
    }
}

/// Every object that there was, in bounded memory.
pub(super) fn wanted<'a>(
    site: &'a Site,
    bucket: &BucketName,
    prefix: &str,
    at: OffsetDateTime,
) -> impl Stream<Item = Result<Wanted, ListError>> + Send + 'a {
    let query = VersionQuery {
        bucket: bucket.clone(),
        prefix: prefix.to_owned(),
        delimiter: None,
        key_marker: None,
        version_marker: None,
        max_keys: 1000,
    };
    let pages = stream::try_unfold(Some(query), move |query| async move {
        let Some(mut query) = query else { return Ok(None) };
        let page = site.list_versions(&query).await?;
        (query.key_marker, query.version_marker) = (page.next_key_marker, page.next_version_marker);
        let next = page.truncated.then_some(query);
        Ok::<_, SiteError>(Some((page.versions, next)))
    });
    let mut moment = Moment::new(at);
    let chosen = flat(pages).map(move |version| version.map(|version| moment.offer(&version)));
    chosen.filter_map(|chosen| std::future::ready(chosen.transpose()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::SealedLen;
    use crate::site::VersionObject;

    /// `key@seconds` for an object, `key!seconds` for a delete marker, in a listing's order.
    fn chosen(at: i64, versions: &str) -> Vec<String> {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
        let mut moment = Moment::new(time(at));
        let mut found = Vec::new();
        for text in versions.split_whitespace() {
            let (key, seconds) = text.split_once(['@', '!']).expect("a key and a time");
            let object = VersionObject { size: SealedLen(700), etag: None, storage_class: None };
            let version = ListedVersion {
                key: key.to_owned(),
                version_id: text.to_owned(),
                is_latest: false,
                last_modified: time(seconds.parse().expect("a number")),
                owner: None,
                object: text.contains('@').then_some(object),
            };
            found.extend(moment.offer(&version).and_then(|wanted| wanted.version));
        }
        found
    }

    #[test]
    fn the_newest_version_that_is_not_younger_counts() {
        let versions = "a@30 a@20 a@10 b@25 c@40";
        assert_eq!(chosen(20, versions), ["a@20"]);
        assert_eq!(chosen(25, versions), ["a@20", "b@25"]);
        assert_eq!(chosen(99, versions), ["a@30", "b@25", "c@40"]);
        assert!(chosen(9, versions).is_empty());
    }

    #[test]
    fn what_was_deleted_then_is_not_there_and_what_was_deleted_later_is() {
        let versions = "a!30 a@10 b@40 b!30 b@10";
        assert_eq!(chosen(20, versions), ["a@10", "b@10"]);
        assert!(chosen(30, versions).is_empty());
        assert_eq!(chosen(40, versions), ["b@40"]);
    }
}
