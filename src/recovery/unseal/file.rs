//! One sealed file, or a stretch of one: trailer first, then index, then every byte in order.
use super::{Unseal, UnsealError};
use crate::recovery::target::Target;
use crate::s3::{ObjectKey, PlainLen, SealedLen};
use crate::seal::{CustomerKey, ObjectName, OpenObject, SealError, TRAILER_LEN, Trailer, WholeReader};
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes read at a time.
const STEP: u64 = 1024 * 1024;

/// A stretch of a file that holds one sealed object: a whole file, or an entry of a tarball.
pub(super) struct Stretch<'a> {
    pub(super) file: &'a File,
    /// For messages.
    pub(super) path: &'a Path,
    pub(super) start: u64,
    pub(super) length: u64,
}

/// An opened, authenticated sealed file. Holds its DEK; no `Debug`.
pub(super) struct SealedFile<'a> {
    stretch: Stretch<'a>,
    key: &'a str,
    object: OpenObject,
    trailer: Bytes,
    /// Where the object has one.
    customer: Option<&'a CustomerKey>,
}

// === impl Stretch ===

impl<'a> Stretch<'a> {
    /// All of a file.
    pub(super) fn whole(file: &'a File, path: &'a Path) -> Result<Self, UnsealError> {
        let metadata = file.metadata().map_err(|source| UnsealError::Io { path: path.to_owned(), source })?;
        Ok(Self { file, path, start: 0, length: metadata.len() })
    }

    fn read(&self, at: u64, length: u64) -> Result<Bytes, UnsealError> {
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, self.start + at).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => UnsealError::Truncated,
            _ => UnsealError::Io { path: self.path.to_owned(), source },
        })?;
        Ok(bytes.into())
    }
}

// === impl SealedFile ===

impl<'a> SealedFile<'a> {
    /// Opens a stretch as the object `key` and authenticates its trailer.
    pub(super) fn open(stretch: Stretch<'a>, job: &Unseal<'a>, key: &'a str) -> Result<Self, UnsealError> {
        let object_key = ObjectKey::parse(key)?;
        let Some(trailer_at) = stretch.length.checked_sub(TRAILER_LEN) else {
            return Err(SealError::NotSealed("it is shorter than a trailer").into());
        };
        let bytes = stretch.read(trailer_at, TRAILER_LEN)?;
        let trailer = Trailer::parse(&bytes, SealedLen(stretch.length))?;
        let vault = job.keyring.for_opening(trailer.key_ref())?;
        let name = ObjectName { bucket: job.bucket, key: &object_key };
        let object = trailer.open_aliased(&vault, &name, job.aliases).map_err(|e| refused(e, key))?;
        let customer = job.customer.filter(|_| object.has_customer_key());
        object.check_customer_key(customer)?;
        Ok(Self { stretch, key, object, trailer: bytes, customer })
    }

    /// Plain length.
    pub(super) fn plain_len(&self) -> PlainLen {
        self.object.plain_len()
    }

    /// When the object was written, seconds since the Unix epoch.
    pub(super) fn written_at(&self) -> u64 {
        self.object.content().written_at
    }

    /// Writes the whole plaintext; returns only when every byte of the file was accounted for.
    pub(super) fn copy_to(&self, target: &mut Target, progress: &mut dyn FnMut(u64)) -> Result<(), UnsealError> {
        let index = match self.object.index_span() {
            None => Bytes::new(),
            Some((start, length)) => self.stretch.read(start, length)?,
        };
        let refused = |error| refused(error, self.key);
        let reader = WholeReader::with_customer_key(self.customer, &self.object, index, self.trailer.clone());
        let mut reader = reader.map_err(refused)?;
        let mut plain = BytesMut::with_capacity(STEP as usize + 64 * 1024);
        for (at, step) in steps(self.stretch.length) {
            reader.push(self.stretch.read(at, step)?, &mut plain).map_err(refused)?;
            target.write(&plain)?;
            plain.clear();
            progress(step);
        }
        reader.finish().map_err(refused)
    }
}

/// `length` bytes in steps of at most [`STEP`].
fn steps(length: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..length.div_ceil(STEP)).map(move |i| (i * STEP, STEP.min(length - i * STEP)))
}

/// A failed authentication may mean a wrong name: say which name was tried.
fn refused(error: SealError, key: &str) -> UnsealError {
    match error {
        SealError::Authentication(_) => UnsealError::Refused(error, key.to_owned()),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_a_length_exactly_once() {
        for length in [0, 1, STEP, STEP + 1, 3 * STEP] {
            let all: Vec<_> = steps(length).collect();
            assert_eq!(all.iter().map(|(_, step)| step).sum::<u64>(), length);
            assert!(all.iter().all(|(_, step)| (1..=STEP).contains(step)));
            assert!(all.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
        }
    }

    #[test]
    fn a_file_that_ends_early_is_noticed() {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let path = folder.path().join("short");
        std::fs::write(&path, "abc").unwrap_or_else(|e| panic!("{e}"));
        let file = File::open(&path).unwrap_or_else(|e| panic!("{e}"));
        let stretch = Stretch { file: &file, path: &path, start: 1, length: 2 };
        assert!(matches!(stretch.read(0, 3), Err(UnsealError::Truncated)));
        assert!(stretch.read(0, 2).is_ok_and(|b| &b[..] == b"bc"));
    }
}
