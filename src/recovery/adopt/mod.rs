//! Sealing a bucket in place: every plain object below a prefix becomes a sealed one of the same name, through the running proxy.
//!
//! Nothing here touches a site. Each object is copied onto itself by the proxy, under the condition that it is still the plain object that was
//! looked at; so the sites are written by the one who writes them anyhow (same order, same journal, every site the same bytes), and a
//! client's write that comes between wins. What the proxy then serves is read back to its last byte, which it opens and authenticates, and
//! compared; only then does the object count.
//!
//! The work has no state of its own: what is sealed already is recognised and left alone, so a job that was broken off is simply started again.
use crate::s3::{BucketName, NameError, ObjectKey};
use crate::site::{ListQuery, ListedObject, Location, Site, SiteError};
use futures_util::{Stream, StreamExt, stream};

mod object;

pub use object::{Fate, Found};

/// Keys asked for at once.
const PAGE: u32 = 1000;

/// What to adopt, and how.
#[derive(Clone)]
pub struct Adopt {
    /// The proxy, as a client reaches it.
    pub proxy: Site,
    /// The bucket.
    pub bucket: BucketName,
    /// Only keys that begin so.
    pub prefix: String,
    /// Only look.
    pub dry_run: bool,
    /// Objects at a time.
    pub parallel: usize,
}

/// What came of it. Every object is in exactly one of the first six.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Sealed now, read back and found right.
    pub adopted: u64,
    /// In a dry run: plain, and to be sealed.
    pub plain: u64,
    /// Sealed before.
    pub sealed: u64,
    /// Written or deleted by a client while they were worked on: left as the client made them.
    pub changed: u64,
    /// Not sealed, or not read back.
    pub failed: u64,
    /// Plain bytes of `adopted` and `plain`.
    pub bytes: u64,
    /// Of `adopted`: in a versioned bucket, where the plain version is still there.
    pub plain_versions: u64,
}

/// Told of progress.
pub trait Observer {
    /// How many objects and bytes there are to look at; called once, before the first.
    fn total(&mut self, objects: u64, bytes: u64);
    /// An object of so many bytes is dealt with.
    fn done(&mut self, key: &str, bytes: u64, fate: &Result<Fate, AdoptError>);
}

/// Why an object, or the whole job, could not be adopted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] SiteError),
    /// The rule.
    #[error(
        "its rule does not let plain objects be read; say unsealed = \"read\" there and restart the proxy, then run this again"
    )]
    NotAllowed,
    /// Something else lies there than a plain object.
    #[error(
        "the proxy refuses it: it looks damaged, or it was put in place of a sealed object. Compare the sites before you go on"
    )]
    Refused,
    /// The storage cannot.
    #[error(
        "the primary does not honour conditional writes, so a client's write could be lost; nothing is sealed in place there. Copy the bucket through the proxy into a new one instead"
    )]
    Unconditional,
    /// Longer than one copy may be.
    #[error(
        "it is longer than the 5 GiB that one copy takes; upload it again through the proxy, as a multipart upload"
    )]
    TooLong,
    /// The key is none that the proxy takes.
    #[error("its key cannot be used: {0}")]
    Name(#[from] NameError),
    /// Read back, it was something else.
    #[error("it was sealed, but {0}; do not delete any copy of it, look at the proxy's log, and compare the sites")]
    NotReadBack(String),
}

// === impl Adopt ===

impl Adopt {
    /// Adopts everything; goes on after failures of single objects. Ends early, with what is done so far, when `go_on` says no.
    ///
    /// # Errors
    /// When the bucket cannot be listed, or nothing could ever be sealed there.
    pub async fn run(&self, observer: &mut dyn Observer, go_on: impl Fn() -> bool) -> Result<Summary, AdoptError> {
        let (objects, bytes) = self.count().await?;
        observer.total(objects, bytes);
        let mut summary = Summary::default();
        let listing = self.listing();
        let work = listing.take_while(|_| std::future::ready(go_on())).map(|listed| async move {
            let listed = listed?;
            let fate = self.one(&listed).await;
            Ok::<_, AdoptError>((listed, fate))
        });
        let mut work = std::pin::pin!(work.buffer_unordered(self.parallel.max(1)));
        while let Some(done) = work.next().await {
            let (listed, fate) = done?;
            if let Err(AdoptError::Unconditional) = fate {
                return Err(AdoptError::Unconditional);
            }
            observer.done(&listed.key, listed.size.0, &fate);
            summary.count(&fate);
        }
        Ok(summary)
    }

    async fn one(&self, listed: &ListedObject) -> Result<Fate, AdoptError> {
        let at = Location { bucket: self.bucket.clone(), key: ObjectKey::parse(&listed.key)? };
        let found = object::look(&self.proxy, &at).await?;
        match found {
            Found::Sealed => Ok(Fate::Sealed),
            Found::Gone => Ok(Fate::Changed),
            Found::Plain(plain) if self.dry_run => Ok(Fate::Plain { bytes: plain.length }),
            Found::Plain(plain) => object::seal(&self.proxy, &at, &plain).await,
        }
    }

    /// The sum of a first listing: for the bar.
    async fn count(&self) -> Result<(u64, u64), AdoptError> {
        let (mut objects, mut bytes) = (0, 0);
        let mut listing = std::pin::pin!(self.listing());
        while let Some(listed) = listing.next().await {
            objects += 1;
            bytes += listed?.size.0;
        }
        Ok((objects, bytes))
    }

    /// Everything below the prefix, page by page. What is written meanwhile may or may not be on it.
    fn listing(&self) -> impl Stream<Item = Result<ListedObject, AdoptError>> + '_ {
        let first = ListQuery {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            delimiter: None,
            token: None,
            start_after: None,
            max_keys: PAGE,
        };
        let pages = stream::try_unfold(Some(first), move |query| async move {
            let Some(mut query) = query else { return Ok::<_, AdoptError>(None) };
            let page = self.proxy.list(&query).await?;
            query.token = page.next_token;
            let next = (page.truncated && query.token.is_some()).then_some(query);
            Ok(Some((page.objects, next)))
        });
        pages.flat_map(|page| match page {
            Ok(objects) => stream::iter(objects.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        })
    }
}

// === impl Summary ===

impl Summary {
    /// Whether nothing plain is left that should have been sealed.
    pub fn is_well(&self) -> bool {
        self.failed == 0 && self.changed == 0
    }

    fn count(&mut self, fate: &Result<Fate, AdoptError>) {
        match fate {
            Ok(Fate::Sealed) => self.sealed += 1,
            Ok(Fate::Changed) => self.changed += 1,
            Ok(Fate::Plain { bytes }) => {
                self.plain += 1;
                self.bytes += bytes;
            }
            Ok(Fate::Adopted { bytes, versioned }) => {
                self.adopted += 1;
                self.bytes += bytes;
                self.plain_versions += u64::from(*versioned);
            }
            Err(_) => self.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_counted_once() {
        let mut summary = Summary::default();
        let fates = [
            Ok(Fate::Sealed),
            Ok(Fate::Changed),
            Ok(Fate::Plain { bytes: 5 }),
            Ok(Fate::Adopted { bytes: 7, versioned: true }),
            Err(AdoptError::TooLong),
        ];
        fates.iter().for_each(|fate| summary.count(fate));
        let expected = Summary { adopted: 1, plain: 1, sealed: 1, changed: 1, failed: 1, bytes: 12, plain_versions: 1 };
        assert_eq!(summary, expected);
        assert!(!summary.is_well());
    }
}
