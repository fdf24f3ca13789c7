//! Listings: always asked for with `encoding-type=url`, so that every key survives XML, and decoded here.
use super::bucket::instant;
use super::error::SiteError;
use super::site::Site;
use crate::s3::{BucketName, SealedETag, SealedLen};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object, Owner};
use time::OffsetDateTime;

/// Sorts after every key that begins with what stands before it, but for keys that hold U+10FFFF itself.
const LAST_CHARACTER: char = '\u{10FFFF}';

/// One object in a listing.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// Key.
    pub key: String,
    /// Sealed size.
    pub size: SealedLen,
    /// Sealed ETag.
    pub etag: Option<SealedETag>,
    /// Last modified.
    pub last_modified: OffsetDateTime,
    /// Storage class.
    pub storage_class: Option<String>,
    /// In a listing of versions: which one.
    pub version_id: Option<String>,
    /// Whose it is there; not every site says so.
    pub owner: Option<ListedOwner>,
}

/// An owner, as a site names it: the same as in its ACLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOwner {
    /// Canonical id.
    pub id: String,
    /// Display name.
    pub display_name: Option<String>,
}

/// A page of a listing. Keys are decoded (the site always asks for `encoding-type=url`).
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// Objects.
    pub objects: Vec<ListedObject>,
    /// Common prefixes.
    pub common_prefixes: Vec<String>,
    /// More to come.
    pub truncated: bool,
    /// V2's opaque token for the next page (V1 callers use `next_marker`).
    pub next_token: Option<String>,
    /// V1's next marker: the last key or common prefix of a truncated page.
    pub next_marker: Option<String>,
}

/// What to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Bucket.
    pub bucket: BucketName,
    /// Prefix.
    pub prefix: String,
    /// Delimiter.
    pub delimiter: Option<String>,
    /// V2 continuation token.
    pub token: Option<String>,
    /// V2 start-after / V1 marker.
    pub start_after: Option<String>,
    /// At most so many keys (0..=1000).
    pub max_keys: u32,
}

impl Site {
    /// One page of a listing, in the order of the keys' bytes.
    ///
    /// # Errors
    /// 404 `NoSuchBucket`, 400 for a token the site does not know.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, SiteError> {
        let inner = &self.inner;
        let request = async {
            let call = inner
                .sdk
                .list_objects_v2()
                .bucket(inner.bucket(&query.bucket))
                .prefix(&query.prefix)
                .set_delimiter(query.delimiter.clone())
                .set_continuation_token(query.token.clone())
                .set_start_after(start_after(query))
                .max_keys(i32::try_from(query.max_keys.min(1000)).unwrap_or(1000))
                .fetch_owner(true)
                .encoding_type(EncodingType::Url);
            call.send().await.map_err(|e| inner.sdk_error(e))
        };
        let answer = inner.watched("list", request).await?;
        page(answer).ok_or_else(|| inner.nonsense("a listing whose keys are not UTF-8"))
    }
}

/// V1's marker may be a common prefix, which then must not come again; V2's `start-after` would bring it.
fn start_after(query: &ListQuery) -> Option<String> {
    let mut after = query.start_after.clone().filter(|after| !after.is_empty())?;
    if let Some(delimiter) = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())
        && let Some(tail) = after.strip_prefix(query.prefix.as_str())
        && tail.find(delimiter).is_some_and(|at| at + delimiter.len() == tail.len())
    {
        after.push(LAST_CHARACTER);
    }
    Some(after)
}

/// `None` when a key does not decode to UTF-8.
fn page(answer: ListObjectsV2Output) -> Option<ListPage> {
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let decode = |text: &str| if encoded { decoded(text) } else { Some(text.to_owned()) };
    let objects = answer.contents().iter().map(|object| listed(object, decode)).collect::<Option<Vec<_>>>()?;
    let prefixes = answer.common_prefixes().iter().filter_map(|common| common.prefix());
    let common_prefixes = prefixes.map(decode).collect::<Option<Vec<_>>>()?;
    let truncated = answer.is_truncated().unwrap_or(false) && !(objects.is_empty() && common_prefixes.is_empty());
    let last = objects.last().map(|object| &object.key).max(common_prefixes.last());
    let next_marker = last.filter(|_| truncated).cloned();
    let next_token = answer.next_continuation_token.filter(|_| truncated);
    Some(ListPage { objects, common_prefixes, truncated, next_token, next_marker })
}

fn listed(object: &Object, decode: impl Fn(&str) -> Option<String>) -> Option<ListedObject> {
    Some(ListedObject {
        key: decode(object.key()?)?,
        size: SealedLen(object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0)),
        etag: object.e_tag().filter(|etag| !etag.is_empty()).map(SealedETag::from_backend),
        last_modified: object.last_modified().and_then(instant).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        storage_class: object.storage_class().map(|class| class.as_str().to_owned()),
        version_id: None,
        owner: object.owner().and_then(owner),
    })
}

pub(super) fn owner(owner: &Owner) -> Option<ListedOwner> {
    let id = owner.id().filter(|id| !id.is_empty())?.to_owned();
    Some(ListedOwner { id, display_name: owner.display_name().map(str::to_owned) })
}

/// Undoes `encoding-type=url`. AWS writes a space as `+`, others as `%20`; both write a plus as `%2B`.
pub(super) fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::CommonPrefix;

    fn query(prefix: &str, delimiter: Option<&str>, start_after: &str) -> ListQuery {
        ListQuery {
            bucket: BucketName::parse("bucket").expect("a valid name"),
            prefix: prefix.into(),
            delimiter: delimiter.map(str::to_owned),
            token: None,
            start_after: Some(start_after.into()),
            max_keys: 1000,
        }
    }

    #[test]
    fn a_marker_that_is_a_common_prefix_is_passed_over() {
        assert_eq!(start_after(&query("", Some("/"), "a/")).as_deref(), Some("a/\u{10FFFF}"));
        assert_eq!(start_after(&query("x/", Some("/"), "x/a/")).as_deref(), Some("x/a/\u{10FFFF}"));
        for (prefix, delimiter, marker) in [
            ("", Some("/"), "a"),
            ("", Some("/"), "a/b"),
            ("", Some("/"), "a/b/"),
            ("", None, "a/"),
            ("x/", Some("/"), "x/"),
        ] {
            assert_eq!(start_after(&query(prefix, delimiter, marker)).as_deref(), Some(marker), "{marker}");
        }
        assert_eq!(start_after(&query("", None, "")), None);
    }

    #[test]
    fn keys_are_decoded_when_the_site_encoded_them() {
        let answer = ListObjectsV2Output::builder()
            .contents(Object::builder().key("a+b%2Bc%01%E5%AD%97").size(3).build())
            .common_prefixes(CommonPrefix::builder().prefix("z%2F").build())
            .is_truncated(true)
            .next_continuation_token("t");
        let encoded = page(answer.clone().encoding_type(EncodingType::Url).build()).expect("UTF-8");
        assert_eq!(encoded.objects[0].key, "a b+c\u{1}字");
        assert_eq!(encoded.common_prefixes, ["z/"]);
        assert_eq!((encoded.next_marker.as_deref(), encoded.next_token.as_deref()), (Some("z/"), Some("t")));
        let plain = page(answer.build()).expect("UTF-8");
        assert_eq!(plain.objects[0].key, "a+b%2Bc%01%E5%AD%97");
        let broken = ListObjectsV2Output::builder().encoding_type(EncodingType::Url);
        assert!(page(broken.contents(Object::builder().key("%FF").build()).build()).is_none());
    }
}
