//! Blobs: bodies under fresh names, written by `s3s-fs` (which verifies the client's checksums), read by span.
use super::disk::{self, Disk};
use super::entry::Blob;
use crate::clock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use s3s::dto::{ETag, PutObjectInput, PutObjectOutput};
use s3s::{S3, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// Bytes read in one hop to a blocking thread.
const READ: u64 = 512 * 1024;

/// A body that was written.
pub(super) struct WrittenBlob {
    pub(super) blob: Arc<Blob>,
    /// MD5 of the bytes, hex.
    pub(super) etag: String,
    /// What `s3s-fs` computed and the client may want back.
    pub(super) checksums: PutObjectOutput,
}

/// Whether `name` is one that [`fresh_name`] could have made.
pub(super) fn is_name(name: &str) -> bool {
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    name.split_once('/').is_some_and(|(folder, file)| (folder.len(), file.len()) == (2, 30) && hex(folder) && hex(file))
}

/// 128 random bits, as `xx/...`.
pub(super) fn fresh_name() -> S3Result<String> {
    let mut id = random_id()?;
    id.insert(2, '/');
    Ok(id)
}

/// 128 random bits, hex.
pub(super) fn random_id() -> S3Result<String> {
    let mut bits = [0u8; 16];
    clock::random(&mut bits).map_err(|e| s3_error!(e, InternalError))?;
    Ok(hex::encode(bits))
}

/// Writes the body of `request` under a fresh name. Of the input only body, length and checksums are used.
/// Nothing names the blob yet: until it is committed it is forgotten, so an early return leaves no file.
pub(super) async fn write(
    fs: &FileSystem,
    disk: &Arc<Disk>,
    bucket: &str,
    request: S3Request<PutObjectInput>,
) -> S3Result<WrittenBlob> {
    let name = fresh_name()?;
    let request = request.map_input(|input| PutObjectInput { bucket: bucket.to_owned(), key: name.clone(), ..input });
    // Its spans would format whole requests, signatures included.
    let mut written = fs.put_object(request).with_subscriber(NoSubscriber::default()).await?.output;
    let etag = written.e_tag.take().map(ETag::into_value).ok_or_else(|| s3_error!(InternalError))?;
    let path = disk.blob(bucket, &name);
    let side = side_files(bucket, &name).map(|file| disk.root().join(file));
    let measured = path.clone();
    let length = blocking(move || {
        for file in side {
            disk::remove(&file)?;
        }
        Ok(std::fs::metadata(measured)?.len())
    });
    let blob = Blob::new(name, path, length.await?);
    blob.forget();
    Ok(WrittenBlob { blob, etag, checksums: written })
}

/// What `s3s-fs` writes beside a body; the entry holds all of it.
fn side_files(bucket: &str, name: &str) -> [String; 2] {
    let (bucket, name) = (URL_SAFE_NO_PAD.encode(bucket), URL_SAFE_NO_PAD.encode(name));
    ["metadata", "internal"].map(|kind| format!(".bucket-{bucket}.object-{name}.{kind}.json"))
}

/// A second name for the same bytes: blobs never change, so a copy is a link.
pub(super) fn link(disk: &Disk, from: &Blob, bucket: &str, name: String) -> io::Result<Arc<Blob>> {
    let path = disk.blob(bucket, &name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::hard_link(&from.path, &path).is_err() {
        std::fs::copy(&from.path, &path)?;
    }
    let blob = Blob::new(name, path, from.length);
    blob.forget();
    Ok(blob)
}

/// The bytes of `span` of the blobs laid end to end.
pub(super) fn read(blobs: Vec<Arc<Blob>>, span: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync {
    let start = Reader { blobs: blobs.into_iter(), open: None, skip: span.start, left: span.end - span.start };
    try_unfold(start, |mut reader| async move {
        if reader.left == 0 {
            return Ok(None);
        }
        let (bytes, reader) = tokio::task::spawn_blocking(move || reader.read().map(|bytes| (bytes, reader))).await??;
        Ok(Some((bytes, reader)))
    })
}

/// A position in a row of blobs.
struct Reader {
    blobs: std::vec::IntoIter<Arc<Blob>>,
    open: Option<(Arc<Blob>, File)>,
    /// Bytes of the current (or next) blob that are behind us.
    skip: u64,
    left: u64,
}

// === impl Reader ===

impl Reader {
    fn read(&mut self) -> io::Result<Bytes> {
        loop {
            let Some((blob, file)) = &self.open else {
                let blob = self.blobs.next().ok_or(io::ErrorKind::UnexpectedEof)?;
                if self.skip >= blob.length {
                    self.skip -= blob.length;
                } else {
                    let file = File::open(&blob.path)?;
                    self.open = Some((blob, file));
                }
                continue;
            };
            let take = READ.min(self.left).min(blob.length - self.skip);
            if take == 0 {
                self.open = None;
                self.skip = 0;
                continue;
            }
            let mut bytes = vec![0; usize::try_from(take).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, self.skip)?;
            self.skip += take;
            self.left -= take;
            return Ok(bytes.into());
        }
    }
}

/// File work off the connection's thread; its failure is the client's 500.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> S3Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| {
        tracing::error!(%error, "an embedded site cannot use its folder");
        s3_error!(error, InternalError)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    fn blob(folder: &std::path::Path, name: &str, bytes: &[u8]) -> Arc<Blob> {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        Blob::new(name.to_owned(), path, bytes.len() as u64)
    }

    async fn bytes(blobs: &[Arc<Blob>], span: Range<u64>) -> Vec<u8> {
        let chunks: Vec<Bytes> = read(blobs.to_vec(), span).try_collect().await.expect("readable");
        chunks.concat()
    }

    #[tokio::test]
    async fn a_span_runs_over_the_borders_of_blobs() {
        let folder = tempfile::tempdir().expect("a folder");
        let row = [blob(folder.path(), "1", b"abc"), blob(folder.path(), "2", b""), blob(folder.path(), "3", b"defg")];
        assert_eq!(bytes(&row, 0..7).await, b"abcdefg");
        assert_eq!(bytes(&row, 2..5).await, b"cde");
        assert_eq!(bytes(&row, 3..4).await, b"d");
        assert_eq!(bytes(&row, 5..5).await, b"");
    }

    #[tokio::test]
    async fn a_forgotten_blob_goes_when_its_last_reader_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = blob(folder.path(), "1", b"abc");
        let path = one.path.clone();
        let reading = read(vec![one.clone()], 0..3);
        one.forget();
        drop(one);
        assert!(path.exists(), "a reader still holds it");
        drop(reading);
        tokio::task::spawn_blocking(|| ()).await.expect("no panic");
        while path.exists() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn only_names_of_our_making_are_swept() {
        assert!(is_name(&fresh_name().expect("randomness")));
        for foreign in ["ab/c", "report.pdf", "ab/zz0000000000000000000000000000", "../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
        {
            assert!(!is_name(foreign), "{foreign}");
        }
    }
}
