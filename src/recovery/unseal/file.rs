//! One sealed file: trailer first, then index, then every chunk in order, then the padding.
use super::UnsealError;
use super::target::Target;
use crate::keys::Keyring;
use crate::s3::{BucketName, ObjectKey, PlainLen, PlainSpan, SealedLen};
use crate::seal::{Layout, ObjectName, OpenObject, SealError, TRAILER_LEN, Trailer};
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes read at a time.
const STEP: u64 = 1024 * 1024;

/// An opened, authenticated sealed file. Holds its DEK; no `Debug`.
pub(super) struct SealedFile {
    file: File,
    path: PathBuf,
    key: String,
    object: OpenObject,
}

// === impl SealedFile ===

impl SealedFile {
    /// Opens `path` as the object `bucket`/`key` and authenticates its trailer.
    pub(super) fn open(path: &Path, keyring: &Keyring, bucket: &BucketName, key: &str) -> Result<Self, UnsealError> {
        let object_key = ObjectKey::parse(key)?;
        let io_error = |source| UnsealError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        let length = file.metadata().map_err(io_error)?.len();
        let Some(trailer_at) = length.checked_sub(TRAILER_LEN) else {
            return Err(SealError::NotSealed("it is shorter than a trailer").into());
        };
        let last = read_at(&file, path, trailer_at, TRAILER_LEN)?;
        let trailer = Trailer::parse(&last, SealedLen(length))?;
        let vault = keyring.for_opening(trailer.key_ref())?;
        let name = ObjectName { bucket, key: &object_key };
        let object = trailer.open(&vault, &name).map_err(|e| refused(e, key))?;
        Ok(Self { file, path: path.to_owned(), key: key.to_owned(), object })
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
    pub(super) fn copy_to(&mut self, target: &mut Target, progress: &mut dyn FnMut(u64)) -> Result<(), UnsealError> {
        let layout = self.layout()?;
        let span = PlainSpan::whole(self.object.plain_len());
        let mut reader = self.object.reader(&layout, span).map_err(|e| refused(e, &self.key))?;
        let (start, length) = reader.sealed_span();
        let mut plain = BytesMut::with_capacity(STEP as usize + 64 * 1024);
        for (at, step) in steps(start, length) {
            let sealed = read_at(&self.file, &self.path, at, step)?;
            reader.push(sealed, &mut plain).map_err(|e| refused(e, &self.key))?;
            target.write(&plain)?;
            plain.clear();
            progress(step);
        }
        reader.finish().map_err(|e| refused(e, &self.key))?;
        self.check_padding(&layout, progress)
    }

    fn layout(&self) -> Result<Layout, UnsealError> {
        let layout = match self.object.index_span() {
            None => self.object.layout_single(),
            Some((start, length)) => {
                let index = read_at(&self.file, &self.path, start, length)?;
                self.object.layout_from_index(&index)
            }
        };
        layout.map_err(|e| refused(e, &self.key))
    }

    /// What stands between body (and index) and trailer must be zero: the format says so, and an attacker who
    /// could hide bytes there would have a covert channel.
    fn check_padding(&self, layout: &Layout, progress: &mut dyn FnMut(u64)) -> Result<(), UnsealError> {
        let (body_start, body_length) = layout.body_span();
        let body_end = body_start + body_length;
        let start = self.object.index_span().map_or(body_end, |(start, length)| start + length);
        let end = self.object.sealed_len().0.saturating_sub(TRAILER_LEN);
        for (at, step) in steps(start, end.saturating_sub(start)) {
            let padding = read_at(&self.file, &self.path, at, step)?;
            if padding.iter().any(|byte| *byte != 0) {
                return Err(SealError::Malformed("the padding is not zero").into());
            }
        }
        progress(end.saturating_sub(body_end) + TRAILER_LEN);
        Ok(())
    }
}

/// `length` bytes from `start` in steps of at most [`STEP`].
fn steps(start: u64, length: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..length.div_ceil(STEP)).map(move |i| (start + i * STEP, STEP.min(length - i * STEP)))
}

fn read_at(file: &File, path: &Path, at: u64, length: u64) -> Result<Bytes, UnsealError> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => UnsealError::Truncated,
        _ => UnsealError::Io { path: path.to_owned(), source },
    })?;
    Ok(bytes.into())
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
    fn steps_cover_a_span_exactly_once() {
        for (start, length) in [(0, 0), (7, 1), (0, STEP), (5, STEP + 1), (1, 3 * STEP)] {
            let all: Vec<_> = steps(start, length).collect();
            assert_eq!(all.iter().map(|(_, step)| step).sum::<u64>(), length);
            assert!(all.iter().all(|(_, step)| (1..=STEP).contains(step)));
            assert!(all.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
            assert!(all.first().is_none_or(|(at, _)| *at == start));
        }
    }

    #[test]
    fn a_file_that_ends_early_is_noticed() {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let path = folder.path().join("short");
        std::fs::write(&path, "abc").unwrap_or_else(|e| panic!("{e}"));
        let file = File::open(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(read_at(&file, &path, 1, 3), Err(UnsealError::Truncated)));
        assert!(read_at(&file, &path, 1, 2).is_ok_and(|b| &b[..] == b"bc"));
    }
}
