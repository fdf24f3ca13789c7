//! One sealed object at one site, read whole and believed only when every byte of it has authenticated: the way of
//! reconcile, verify, restore and drill.
use super::fingerprint::Fingerprint;
use super::pace::Pace;
use crate::keys::{KeyError, Keyring};
use crate::s3::{Aliases, PlainLen, SealedETag, SealedLen};
use crate::seal::{ObjectName, OpenObject, SealError, TRAILER_LEN, Trailer, WholeReader};
use crate::site::{GotObject, Location, ObjectHeaders, SealedBody, SealedRange, Site, SiteError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// What is fetched of every object at first: small ones need one request.
const TAIL: u64 = 256 * 1024;

/// What opens objects. Cheap to clone.
#[derive(Clone)]
pub struct Opener {
    /// The vault keys.
    pub keyring: Arc<Keyring>,
    /// Other names under which objects may have been sealed.
    pub aliases: Aliases,
    /// How fast.
    pub pace: Arc<Pace>,
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The site failed, or does not have it.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The bytes are not what was sealed under this name.
    #[error("{0}")]
    Damaged(SealError),
    /// Not an object of ours.
    #[error("{0}; it was not written through Strongroom, so nothing can be said of it")]
    NotSealed(SealError),
    /// Its key is not in the keyring.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Every byte authenticated and yet the plaintext's MD5 is another than the trailer remembers.
    #[error("the plaintext does not have the MD5 that its trailer remembers")]
    Md5,
    /// What was asked for is its content, and that takes a key of the customer's.
    #[error("its content is under a customer's key (SSE-C), which only its client has")]
    CustomerKey,
    /// The trailer remembers metadata that the site does not have any more.
    #[error("it has lost its sealed metadata (the content is whole)")]
    MetadataLost,
    /// What was read could not be put where it belongs.
    #[error("{0}")]
    Sink(std::io::Error),
}

/// Where the bytes go.
#[async_trait::async_trait]
pub trait Sink: Send {
    /// Sealed bytes as they came, in order. They may still turn out to be damaged.
    ///
    /// # Errors
    /// Ends the reading.
    async fn sealed(&mut self, _bytes: &Bytes) -> std::io::Result<()> {
        Ok(())
    }
    /// Verified plaintext, in order.
    ///
    /// # Errors
    /// Ends the reading.
    async fn plain(&mut self, _bytes: &mut BytesMut) -> std::io::Result<()> {
        Ok(())
    }
    /// Whether plaintext is what it is for: then an object under a customer's key is refused.
    fn wants_plain(&self) -> bool {
        false
    }
}

/// Looks and keeps nothing.
pub struct Nowhere;

/// Hashes the sealed bytes.
struct Digest(Sha256);

/// One reading of an object.
struct Pass<'a> {
    reader: WholeReader,
    md5: Fingerprint,
    plain: BytesMut,
    sink: &'a mut dyn Sink,
}

/// An object whose trailer and metadata have authenticated.
pub struct OpenedObject {
    site: Site,
    at: Location,
    version: Option<String>,
    object: OpenObject,
    tail: Bytes,
    sealed_etag: SealedETag,
    headers: ObjectHeaders,
    metadata: Option<Vec<u8>>,
}

// === impl Sink ===

#[async_trait::async_trait]
impl Sink for Nowhere {}

#[async_trait::async_trait]
impl Sink for Digest {
    async fn sealed(&mut self, bytes: &Bytes) -> std::io::Result<()> {
        self.0.update(bytes);
        Ok(())
    }
}

// === impl ReadError ===

impl ReadError {
    /// The object is at the site and is not right.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Md5 | Self::MetadataLost)
    }

    /// The site does not have the object (any more).
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Site(error) if error.is_not_found())
    }
}

impl From<SealError> for ReadError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NotSealed(_) => Self::NotSealed(error),
            SealError::CustomerKey(_) => Self::CustomerKey,
            other => Self::Damaged(other),
        }
    }
}

// === impl Opener ===

impl Opener {
    /// Opens an object, or one version of it as the site calls it.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn open(&self, site: &Site, at: &Location, version: Option<&str>) -> Result<OpenedObject, ReadError> {
        let mut got = match site.get_version(at, version, SealedRange::Last(TAIL), None).await {
            // No byte of an empty object is its last.
            Err(SiteError::S3 { status: 416, .. }) => return Err(SealError::NotSealed("it is empty").into()),
            other => other?,
        };
        let tail = collect(&mut got, &self.pace).await?;
        let cut = tail.len().saturating_sub(TRAILER_LEN as usize);
        let trailer = Trailer::parse(&tail[cut..], got.total)?;
        let vault = self.keyring.for_opening(trailer.key_ref())?;
        let name = ObjectName { bucket: &at.bucket, key: &at.key };
        let object = trailer.open_aliased(&vault, &name, &self.aliases)?;
        let metadata = got.metadata.as_deref().map(|value| object.open_metadata(value)).transpose()?;
        let tags = if got.has_tags() { site.tagging_header(at, version).await? } else { None };
        let (site, at, version) = (site.clone(), at.clone(), version.map(str::to_owned));
        let headers = got.headers(tags);
        Ok(OpenedObject { site, at, version, object, tail, sealed_etag: got.etag, headers, metadata })
    }

    /// Reads an opened object whole; every byte of exactly this version is accounted for when this returns. Of one under a customer's key
    /// ([`OpenedObject::has_customer_key`]) that is said of everything but its content, which only its client can check.
    ///
    /// # Errors
    /// See [`ReadError`]; what the sink has got by then is not to be trusted.
    pub async fn read(&self, opened: &OpenedObject, sink: &mut dyn Sink) -> Result<(), ReadError> {
        let index = self.index(opened).await?;
        let trailer = opened.tail.slice(opened.tail.len() - TRAILER_LEN as usize..);
        let checks_content = !opened.has_customer_key();
        if !checks_content && sink.wants_plain() {
            return Err(ReadError::CustomerKey);
        }
        let reader = match checks_content {
            true => WholeReader::new(&opened.object, index, trailer)?,
            false => WholeReader::frame(&opened.object, index, trailer)?,
        };
        let md5 = Fingerprint::new(reader.layout());
        let mut pass = Pass { reader, md5, plain: BytesMut::new(), sink };
        let before = opened.sealed_len().0 - opened.tail.len() as u64;
        if before > 0 {
            let mut body = opened.span(0, before).await?;
            while let Some(chunk) = body.next().await {
                let chunk = chunk?;
                self.pace.take(chunk.len() as u64).await;
                pass.step(chunk).await?;
            }
        }
        pass.step(opened.tail.clone()).await?;
        pass.reader.finish()?;
        if !checks_content || pass.md5.matches(opened.object.content()) { Ok(()) } else { Err(ReadError::Md5) }
    }

    /// SHA-256 of an opened object's sealed bytes: where its content cannot be checked, it can be held against another site's.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn digest(&self, opened: &OpenedObject) -> Result<[u8; 32], ReadError> {
        let mut digest = Digest(Sha256::new());
        self.read(opened, &mut digest).await?;
        Ok(digest.0.finalize().into())
    }

    /// Opens and reads whole, for the verdict alone. Content without its metadata is not all that there was.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn authenticate(&self, site: &Site, at: &Location) -> Result<OpenedObject, ReadError> {
        let opened = self.open(site, at, None).await?;
        self.read(&opened, &mut Nowhere).await?;
        if opened.has_lost_metadata() { Err(ReadError::MetadataLost) } else { Ok(opened) }
    }

    async fn index(&self, opened: &OpenedObject) -> Result<Bytes, ReadError> {
        let Some((start, length)) = opened.object.index_span() else { return Ok(Bytes::new()) };
        let tail_at = opened.sealed_len().0 - opened.tail.len() as u64;
        if let Some(at) = start.checked_sub(tail_at) {
            return Ok(opened.tail.slice(at as usize..(at + length) as usize));
        }
        let mut index = BytesMut::new();
        let mut body = opened.span(start, length).await?;
        while let Some(chunk) = body.next().await {
            index.extend_from_slice(&chunk?);
        }
        self.pace.take(length).await;
        Ok(index.freeze())
    }
}

// === impl Pass ===

impl Pass<'_> {
    async fn step(&mut self, sealed: Bytes) -> Result<(), ReadError> {
        self.sink.sealed(&sealed).await.map_err(ReadError::Sink)?;
        self.reader.push(sealed, &mut self.plain)?;
        self.md5.update(&self.plain);
        self.sink.plain(&mut self.plain).await.map_err(ReadError::Sink)?;
        self.plain.clear();
        Ok(())
    }
}

// === impl OpenedObject ===

impl OpenedObject {
    /// Plain length.
    pub fn plain_len(&self) -> PlainLen {
        self.object.plain_len()
    }

    /// Sealed length.
    pub fn sealed_len(&self) -> SealedLen {
        self.object.sealed_len()
    }

    /// Whether its content is under a key of the customer's; authenticated.
    pub fn has_customer_key(&self) -> bool {
        self.object.has_customer_key()
    }

    /// Whether both are one version; authenticated.
    pub fn is_same_version(&self, other: &Self) -> bool {
        self.object.is_same_version(&other.object)
    }

    /// When it was written, seconds since the Unix epoch; authenticated.
    pub fn written_at(&self) -> u64 {
        self.object.content().written_at
    }

    /// The ETag the site has for it.
    pub fn sealed_etag(&self) -> &SealedETag {
        &self.sealed_etag
    }

    /// The ETag a client sees; authenticated.
    pub fn etag(&self) -> crate::s3::PlainETag {
        self.object.etag()
    }

    /// What a copy of the sealed bytes is written with.
    pub fn headers(&self) -> &ObjectHeaders {
        &self.headers
    }

    /// The client's metadata as the gateway encoded it (JSON); authenticated.
    pub fn metadata(&self) -> Option<&[u8]> {
        self.metadata.as_deref()
    }

    /// The trailer remembers metadata that the site does not have any more (a raw copy to a folder and back loses it).
    pub fn has_lost_metadata(&self) -> bool {
        self.metadata.is_none() && self.object.content().metadata_tag.is_some()
    }

    /// Bytes of exactly this version.
    async fn span(&self, start: u64, length: u64) -> Result<SealedBody, SiteError> {
        let range = SealedRange::Span { start, length };
        let got = self.site.get_version(&self.at, self.version.as_deref(), range, Some(&self.sealed_etag)).await?;
        Ok(got.body)
    }
}

async fn collect(got: &mut GotObject, pace: &Pace) -> Result<Bytes, SiteError> {
    pace.take(got.length).await;
    let mut bytes = BytesMut::with_capacity(usize::try_from(got.length.min(TAIL)).unwrap_or(0));
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes.freeze())
}
