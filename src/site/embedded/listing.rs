//! Listings of an embedded site, straight from the index.
use super::entry::Entry;
use super::index::Bucket;
use super::wrapper::{Store, existing};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};
use std::ops::Bound;
use std::sync::Arc;

/// What `encoding-type=url` leaves alone.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// What to list.
struct Query<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: After,
    most: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum After {
    Start,
    Key(String),
    /// Everything under this common prefix has been listed.
    Prefix(String),
}

/// A page, in order.
#[derive(Default)]
struct Page {
    objects: Vec<(String, Arc<Entry>)>,
    prefixes: Vec<String>,
    /// Set when there is more: where the next page begins.
    next: Option<After>,
}

impl Store {
    pub(super) async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
        let input = request.input;
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let after = marker(input.marker.as_deref().unwrap_or_default(), prefix, delimiter);
        let (most, max_keys) = most(input.max_keys)?;
        let query = Query { prefix, delimiter, after, most };
        let page = page(existing(&self.0.index(), &input.bucket)?, &query);
        let text = encoder(input.encoding_type.as_ref());
        let next_marker = page.next.as_ref().and_then(After::text).map(&text);
        Ok(ListObjectsOutput {
            is_truncated: Some(page.next.is_some()),
            next_marker,
            contents: Some(contents(page.objects, &text)),
            common_prefixes: Some(common_prefixes(page.prefixes, &text)),
            name: Some(input.bucket),
            prefix: Some(text(prefix)),
            delimiter: delimiter.map(&text),
            marker: Some(text(input.marker.as_deref().unwrap_or_default())),
            max_keys: Some(max_keys),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<ListObjectsV2Output> {
        let input = request.input;
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let after = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => After::from_token(token)?,
            (None, Some(key)) if !key.is_empty() => After::Key(key.clone()),
            _ => After::Start,
        };
        let (most, max_keys) = most(input.max_keys)?;
        let query = Query { prefix, delimiter, after, most };
        let page = page(existing(&self.0.index(), &input.bucket)?, &query);
        let text = encoder(input.encoding_type.as_ref());
        let key_count = i32::try_from(page.objects.len() + page.prefixes.len()).ok();
        Ok(ListObjectsV2Output {
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.as_ref().and_then(After::token),
            key_count,
            contents: Some(contents(page.objects, &text)),
            common_prefixes: Some(common_prefixes(page.prefixes, &text)),
            name: Some(input.bucket),
            prefix: Some(text(prefix)),
            delimiter: delimiter.map(&text),
            start_after: input.start_after.as_deref().map(&text),
            continuation_token: input.continuation_token,
            max_keys: Some(max_keys),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    /// Every object is its own only version, as S3 lists a bucket that was never versioned.
    pub(super) async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<ListObjectVersionsOutput> {
        let input = request.input;
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let after = marker(input.key_marker.as_deref().unwrap_or_default(), prefix, delimiter);
        let (most, max_keys) = most(input.max_keys)?;
        let page = page(existing(&self.0.index(), &input.bucket)?, &Query { prefix, delimiter, after, most });
        let text = encoder(input.encoding_type.as_ref());
        let version = |(key, entry): (String, Arc<Entry>)| ObjectVersion {
            key: Some(text(&key)),
            version_id: Some("null".to_owned()),
            is_latest: Some(true),
            size: i64::try_from(entry.size).ok(),
            e_tag: Some(ETag::Strong(entry.etag.clone())),
            last_modified: Some(entry.modified.into()),
            ..Default::default()
        };
        let next_key_marker = page.next.as_ref().and_then(After::text).map(&text);
        Ok(ListObjectVersionsOutput {
            is_truncated: Some(page.next.is_some()),
            next_version_id_marker: next_key_marker.as_ref().map(|_| "null".to_owned()),
            next_key_marker,
            versions: Some(page.objects.into_iter().map(version).collect()),
            common_prefixes: Some(common_prefixes(page.prefixes, &text)),
            prefix: Some(text(prefix)),
            name: Some(input.bucket),
            max_keys: Some(max_keys),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }
}

fn page(bucket: &Bucket, query: &Query<'_>) -> Page {
    let mut page = Page::default();
    let mut position = query.after.clone();
    if query.most == 0 {
        return page;
    }
    while let Some((key, entry)) = next(bucket, query.prefix, &position) {
        if page.objects.len() + page.prefixes.len() == query.most {
            page.next = Some(position);
            return page;
        }
        match common_prefix(key, query) {
            Some(common) => {
                page.prefixes.push(common.to_owned());
                position = After::Prefix(common.to_owned());
            }
            None => {
                page.objects.push((key.clone(), entry.clone()));
                position = After::Key(key.clone());
            }
        }
    }
    page
}

/// The first object after `position` that has the prefix.
fn next<'a>(bucket: &'a Bucket, prefix: &str, position: &After) -> Option<(&'a String, &'a Arc<Entry>)> {
    let from: Bound<&str> = match position {
        After::Key(key) if key.as_str() >= prefix => Bound::Excluded(key),
        After::Prefix(common) if common.as_str() >= prefix => return past(bucket, prefix, common),
        _ => Bound::Included(prefix),
    };
    bucket.objects.range::<str, _>((from, Bound::Unbounded)).next().filter(|(key, _)| key.starts_with(prefix))
}

/// The first object beyond a common prefix: found by bisection, not by walking what lies under it.
fn past<'a>(bucket: &'a Bucket, prefix: &str, common: &str) -> Option<(&'a String, &'a Arc<Entry>)> {
    let jump = format!("{common}\u{10FFFF}");
    let beyond = bucket.objects.range::<str, _>((Bound::Included(jump.as_str()), Bound::Unbounded));
    beyond.into_iter().find(|(key, _)| !key.starts_with(common)).filter(|(key, _)| key.starts_with(prefix))
}

fn common_prefix<'a>(key: &'a str, query: &Query<'_>) -> Option<&'a str> {
    let delimiter = query.delimiter?;
    let tail = key.get(query.prefix.len()..)?;
    let end = query.prefix.len() + tail.find(delimiter)? + delimiter.len();
    key.get(..end)
}

/// V1's marker is a key or a common prefix of the page before.
fn marker(marker: &str, prefix: &str, delimiter: Option<&str>) -> After {
    let common = delimiter
        .zip(marker.strip_prefix(prefix))
        .is_some_and(|(delimiter, tail)| tail.find(delimiter).is_some_and(|at| at + delimiter.len() == tail.len()));
    match marker {
        "" => After::Start,
        _ if common => After::Prefix(marker.to_owned()),
        _ => After::Key(marker.to_owned()),
    }
}

fn most(asked: Option<i32>) -> S3Result<(usize, i32)> {
    let asked = asked.unwrap_or(1000);
    let most = usize::try_from(asked).map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    Ok((most.min(1000), asked.min(1000)))
}

fn encoder(encoding: Option<&EncodingType>) -> impl Fn(&str) -> String + use<> {
    let url = encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    move |text| if url { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
}

fn contents(objects: Vec<(String, Arc<Entry>)>, text: impl Fn(&str) -> String) -> Vec<Object> {
    let listed = |(key, entry): (String, Arc<Entry>)| Object {
        key: Some(text(&key)),
        size: i64::try_from(entry.size).ok(),
        e_tag: Some(ETag::Strong(entry.etag.clone())),
        last_modified: Some(entry.modified.into()),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    };
    objects.into_iter().map(listed).collect()
}

fn common_prefixes(prefixes: Vec<String>, text: impl Fn(&str) -> String) -> Vec<CommonPrefix> {
    prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(text(prefix)) }).collect()
}

// === impl After ===

impl After {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Start => None,
            Self::Key(text) | Self::Prefix(text) => Some(text),
        }
    }

    fn token(&self) -> Option<String> {
        let kind = if matches!(self, Self::Prefix(_)) { 'p' } else { 'k' };
        Some(URL_SAFE_NO_PAD.encode(format!("{kind}{}", self.text()?)))
    }

    fn from_token(token: &str) -> S3Result<Self> {
        let bad = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
        let text = String::from_utf8(bytes).map_err(|_| bad())?;
        match (text.get(..1), text.get(1..)) {
            (Some("k"), Some(key)) => Ok(Self::Key(key.to_owned())),
            (Some("p"), Some(prefix)) => Ok(Self::Prefix(prefix.to_owned())),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn bucket(keys: &[&str]) -> Bucket {
        let entry = Arc::new(Entry::new(String::new(), Default::default(), Vec::new()));
        let objects = keys.iter().map(|key| ((*key).to_owned(), entry.clone())).collect();
        Bucket { created: OffsetDateTime::UNIX_EPOCH, objects }
    }

    /// Every page of a listing, flattened; prefixes in brackets.
    fn walk(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, after: After, most: usize) -> Vec<String> {
        let mut query = Query { prefix, delimiter, after, most };
        let mut seen = Vec::new();
        loop {
            let found = page(bucket, &query);
            assert!(found.objects.len() + found.prefixes.len() <= most);
            seen.extend(found.prefixes.iter().map(|prefix| format!("[{prefix}]")));
            seen.extend(found.objects.into_iter().map(|(key, _)| key));
            match found.next.and_then(|next| next.token()) {
                Some(token) => query.after = After::from_token(&token).expect("our own token"),
                None => return seen,
            }
        }
    }

    const KEYS: [&str; 8] = ["a", "a/", "a/b", "a/c/d", "a\u{10FFFF}", "b//c", "b/x", "字/1"];

    #[test]
    fn pages_of_any_size_give_the_same_listing() {
        let bucket = bucket(&KEYS);
        let mut sorted = KEYS.map(str::to_owned);
        sorted.sort();
        for most in 1..=9 {
            assert_eq!(walk(&bucket, "", None, After::Start, most), sorted);
            let mut rolled = walk(&bucket, "", Some("/"), After::Start, most);
            rolled.sort();
            assert_eq!(rolled, ["[a/]", "[b/]", "[字/]", "a", "a\u{10FFFF}"]);
            let mut inner = walk(&bucket, "a/", Some("/"), After::Start, most);
            inner.sort();
            assert_eq!(inner, ["[a/c/]", "a/", "a/b"]);
        }
    }

    #[test]
    fn markers_of_keys_and_of_common_prefixes_are_passed() {
        let bucket = bucket(&KEYS);
        let from = |text| walk(&bucket, "", Some("/"), marker(text, "", Some("/")), 1000);
        assert_eq!(from("a/"), ["[b/]", "[字/]", "a\u{10FFFF}"]);
        assert_eq!(from("a/b"), ["[a/]", "[b/]", "[字/]", "a\u{10FFFF}"]);
        assert_eq!(walk(&bucket, "b/", None, After::Key("a".into()), 10), ["b//c", "b/x"]);
        assert!(walk(&bucket, "a/", None, After::Key("b".into()), 10).is_empty());
    }

    #[test]
    fn foreign_tokens_are_refused() {
        for token in ["", "x", "%%", "eA", "_w"] {
            assert!(After::from_token(token).is_err(), "{token}");
        }
    }
}
