//! Two listings side by side, in one pass: a page of each in memory, however many keys there are.
use crate::s3::{BucketName, SealedETag, SealedLen};
use crate::site::{ListQuery, ListedObject, Site, SiteError};
use futures_util::{Stream, StreamExt, stream};
use std::pin::Pin;

/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) size: SealedLen,
    pub(super) etag: Option<SealedETag>,
}

/// One key, as either listing has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) here: Option<Listed>,
    pub(super) there: Option<Listed>,
}

/// A listing that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(in crate::recovery) enum ListError {
    #[error(transparent)]
    Site(#[from] SiteError),
    #[error(
        "site {0} does not list in the order of the keys' bytes ({1:?} came after {2:?}), so its listing cannot be compared"
    )]
    Order(String, String, String),
}

/// A listing, object by object.
pub(in crate::recovery) type Listing<'a> = Pin<Box<dyn Stream<Item = Result<ListedObject, ListError>> + Send + 'a>>;

/// Every object below a prefix; a bucket that is not there has none.
pub(in crate::recovery) fn listing<'a>(site: &'a Site, bucket: &BucketName, prefix: &str) -> Listing<'a> {
    listing_after(site, bucket, prefix, None)
}

/// The same behind a key.
pub(in crate::recovery) fn listing_after<'a>(
    site: &'a Site,
    bucket: &BucketName,
    prefix: &str,
    start_after: Option<String>,
) -> Listing<'a> {
    let query = ListQuery {
        bucket: bucket.clone(),
        prefix: prefix.to_owned(),
        delimiter: None,
        token: None,
        start_after,
        max_keys: 1000,
    };
    let pages = stream::try_unfold(Some(query), move |query| async move {
        let Some(mut query) = query else { return Ok(None) };
        let page = match site.list(&query).await {
            Err(error) if error.is_not_found() => return Ok(None),
            page => page?,
        };
        query.token = page.next_token;
        let next = query.token.is_some().then_some(query);
        Ok::<_, SiteError>(Some((page.objects, next)))
    });
    let objects = pages.flat_map(|page| match page {
        Ok(objects) => stream::iter(objects.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(ListError::from(error))]),
    });
    ordered(site.name().to_string(), Box::pin(objects))
}

/// Refuses a listing that goes backwards: merging it would report nonsense.
fn ordered(site: String, listing: Listing<'_>) -> Listing<'_> {
    let checked = listing.scan(None::<String>, move |before, object| {
        let checked = object.and_then(|object| match before.replace(object.key.clone()) {
            Some(earlier) if earlier >= object.key => Err(ListError::Order(site.clone(), object.key, earlier)),
            _ => Ok(object),
        });
        std::future::ready(Some(checked))
    });
    Box::pin(checked)
}

/// Every key of either listing, in order. Ends with the first error.
pub(super) fn merge<'a>(
    here: Listing<'a>,
    there: Listing<'a>,
) -> impl Stream<Item = Result<Pair, ListError>> + Send + 'a {
    let state = (here.peekable(), there.peekable(), false);
    stream::unfold(state, |(mut here, mut there, ended)| async move {
        if ended {
            return None;
        }
        let (ours, theirs) = (Pin::new(&mut here).peek().await, Pin::new(&mut there).peek().await);
        let (take_ours, take_theirs) = match (ours, theirs) {
            (None, None) => return None,
            (Some(Err(_)), _) => (true, false),
            (_, Some(Err(_))) => (false, true),
            (Some(Ok(ours)), Some(Ok(theirs))) => (ours.key <= theirs.key, theirs.key <= ours.key),
            (ours, theirs) => (ours.is_some(), theirs.is_some()),
        };
        let ours = if take_ours { here.next().await } else { None };
        let theirs = if take_theirs { there.next().await } else { None };
        let pair = pair(ours, theirs);
        let ended = pair.is_err();
        Some((pair, (here, there, ended)))
    })
}

fn pair(
    ours: Option<Result<ListedObject, ListError>>,
    theirs: Option<Result<ListedObject, ListError>>,
) -> Result<Pair, ListError> {
    let (ours, theirs) = (ours.transpose()?, theirs.transpose()?);
    let key = ours.as_ref().or(theirs.as_ref()).map(|object| object.key.clone()).unwrap_or_default();
    let facts = |object: ListedObject| Listed { size: object.size, etag: object.etag };
    Ok(Pair { key, here: ours.map(facts), there: theirs.map(facts) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn object(key: String, etag: &str) -> ListedObject {
        ListedObject {
            key,
            size: SealedLen(700),
            etag: Some(SealedETag::from_backend(etag)),
            last_modified: time::OffsetDateTime::UNIX_EPOCH,
            storage_class: None,
            version_id: None,
            owner: None,
        }
    }

    fn keys(keys: &[&str]) -> Listing<'static> {
        let objects: Vec<_> = keys.iter().map(|key| Ok(object((*key).to_owned(), "e"))).collect();
        ordered("site".into(), Box::pin(stream::iter(objects)))
    }

    async fn merged(here: &[&str], there: &[&str]) -> Vec<(String, bool, bool)> {
        let pairs: Vec<_> = merge(keys(here), keys(there)).collect().await;
        let pairs = pairs.into_iter().map(|pair| pair.expect("no error"));
        pairs.map(|pair| (pair.key, pair.here.is_some(), pair.there.is_some())).collect()
    }

    #[tokio::test]
    async fn every_key_of_either_side_comes_once_in_order() {
        let found = merged(&["a", "c", "d"], &["b", "c", "e", "f"]).await;
        let expected = [
            ("a", true, false),
            ("b", false, true),
            ("c", true, true),
            ("d", true, false),
            ("e", false, true),
            ("f", false, true),
        ];
        assert_eq!(found, expected.map(|(key, here, there)| (key.to_owned(), here, there)));
        assert!(merged(&[], &[]).await.is_empty());
    }

    #[tokio::test]
    async fn a_listing_that_goes_backwards_ends_the_comparison() {
        let pairs: Vec<_> = merge(keys(&["b", "a", "c"]), keys(&["a", "b"])).collect().await;
        assert!(matches!(pairs.last(), Some(Err(ListError::Order(..)))), "{pairs:?}");
    }

    /// Pages of 1,000 generated keys; counts the objects that were made and not yet taken.
    fn generated(total: u64, skip: u64, live: Arc<AtomicU64>, most: Arc<AtomicU64>) -> Listing<'static> {
        let pages = stream::iter((0..total / 1000).map(move |page| {
            let now = live.fetch_add(1000, Ordering::Relaxed) + 1000;
            most.fetch_max(now, Ordering::Relaxed);
            let live = live.clone();
            let keys = (page * 1000..(page + 1) * 1000).filter(move |i| i % skip != skip - 1);
            let objects: Vec<_> = keys.map(|i| Ok(object(format!("clients/{i:012}/voucher.pdf"), "e"))).collect();
            let last = objects.len() - 1;
            stream::iter(objects.into_iter().enumerate().map(move |(i, object)| {
                if i == last {
                    live.fetch_sub(1000, Ordering::Relaxed);
                }
                object
            }))
        }));
        Box::pin(pages.flatten())
    }

    #[tokio::test]
    async fn a_million_keys_a_side_need_two_pages_of_memory() {
        let (live, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let side = |skip| generated(1_000_000, skip, live.clone(), most.clone());
        let mut pairs = Box::pin(merge(side(1_000), side(777)));
        let (mut both, mut here, mut there) = (0u64, 0u64, 0u64);
        while let Some(pair) = pairs.next().await {
            let pair = pair.expect("no error");
            match (pair.here, pair.there) {
                (Some(_), Some(_)) => both += 1,
                (Some(_), None) => here += 1,
                _ => there += 1,
            }
        }
        // 1,000 keys lack here, 1,287 there, 1 at both (777,000 is the common multiple).
        assert_eq!((both, here, there), (1_000_000 - 1_000 - 1_287 + 1, 1_286, 999));
        assert!(most.load(Ordering::Relaxed) <= 3_000, "{most:?} objects were in memory at once");
    }
}
