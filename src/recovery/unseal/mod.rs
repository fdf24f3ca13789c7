//! Offline decryption: a folder, a file or a tarball that some S3 tool copied straight from a site -> the plain files.
//!
//! Needs the sealed files, a copy of the system bucket (the keyring) and the root key; no proxy, no network, no
//! metadata. Every file is read as the object `bucket` + its path relative to the folder: the trailer is bound
//! to that name, so a renamed or exchanged file is noticed.
//!
//! Nothing unverified ever has its final name: a file is decrypted under a temporary name in its target folder,
//! checked to its last byte (every chunk, the index, the padding, the trailer) and renamed then. Memory is
//! bounded whatever the size.
mod customer;
mod file;
mod tarball;
mod walk;

pub use customer::customer_key;
pub use tarball::{Kind, kind_of};

use super::target::{Target, TargetError};
use crate::keys::{KeyError, Keyring};
use crate::s3::{Aliases, BucketName, NameError, PlainLen};
use crate::seal::{CustomerKey, CustomerKeyFault, SealError};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What to unseal, and how.
pub struct Unseal<'a> {
    /// The opened keyring.
    pub keyring: &'a Keyring,
    /// The bucket the files came from, as clients named it.
    pub bucket: &'a BucketName,
    /// Other names under which the objects may have been sealed.
    pub aliases: &'a Aliases,
    /// Replace files that exist already in the output folder.
    pub overwrite: bool,
    /// For objects whose content is under a customer's key (SSE-C); others are opened without.
    pub customer: Option<&'a CustomerKey>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files written.
    pub files: u64,
    /// Plain bytes written.
    pub bytes: u64,
    /// Files that failed.
    pub failed: u64,
}

/// Told of progress.
pub trait Observer {
    /// How many files and sealed bytes there are to read; called once, before the first file.
    fn total(&mut self, files: u64, sealed_bytes: u64);
    /// So many more sealed bytes were read.
    fn read(&mut self, sealed_bytes: u64);
    /// A file was written.
    fn done(&mut self, file: &Path, plain: PlainLen);
    /// A file failed; nothing of it was written.
    fn failed(&mut self, file: &Path, error: &UnsealError);
}

/// Why a file could not be unsealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnsealError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// Its path cannot be the name of an object.
    #[error("the file's path is no object key: {0}")]
    Name(#[from] NameError),
    /// Its path is not UTF-8.
    #[error("the file's path is not UTF-8, so no object had this name")]
    NotUtf8,
    /// Neither file nor folder.
    #[error("it is neither a file nor a folder (a link, for example), and is not followed")]
    Special,
    /// Its content needs a customer's key.
    #[error("{0} (SSE-C); --customer-key brings it")]
    CustomerKey(CustomerKeyFault),
    /// A file that is no customer's key.
    #[error("{0}: a customer's key is 64 hex digits, not all of them zero")]
    NoCustomerKey(PathBuf),
    /// The file was copied while it changed, or is not what Strongroom wrote.
    #[error("{0}; copy the file again, or take it from the other site")]
    Seal(SealError),
    /// The right bytes under the wrong name, the wrong bytes, or the wrong key.
    #[error(
        "{0}; the file is damaged, or it was not the object {1:?} (renamed, another bucket), or the keyring is another's"
    )]
    Refused(SealError, String),
    /// The keyring lacks the key.
    #[error("{0}; bring the system bucket's copy up to date")]
    Key(#[from] KeyError),
    /// The plain file cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A path that leads out of the output folder.
    #[error("its path leads out of the folder and is not followed")]
    Outside,
    /// The output would be read as input.
    #[error("the output folder {0} lies inside the input folder; choose one beside it")]
    Nested(PathBuf),
    /// The file got shorter while it was read.
    #[error("the file ended early; it changed while it was read")]
    Truncated,
}

impl From<SealError> for UnsealError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::CustomerKey(fault) => Self::CustomerKey(fault),
            error => Self::Seal(error),
        }
    }
}

// === impl Unseal ===

impl Unseal<'_> {
    /// Unseals every file below `input` into the same paths below `output`. Goes on after failures.
    ///
    /// # Errors
    /// Only when `input` itself cannot be read; what happens to single files is the observer's and the summary's.
    pub fn folder(&self, input: &Path, output: &Path, observer: &mut dyn Observer) -> Result<Summary, UnsealError> {
        refuse_nested(input, output)?;
        let (mut files, mut sealed_bytes) = (0, 0);
        for entry in walk::walk(input)? {
            files += 1;
            sealed_bytes += entry.length;
        }
        observer.total(files, sealed_bytes);
        let mut summary = Summary::default();
        for entry in walk::walk(input)? {
            let result = entry.problem.map_or(Ok(()), Err).and_then(|()| {
                let key = walk::key_of(&entry.relative)?;
                self.one(&input.join(&entry.relative), &key, &output.join(&entry.relative), observer)
            });
            summary.count(&entry.relative, result, observer);
        }
        Ok(summary)
    }

    /// Unseals the single file `input`, the object `key`, into the file `output`.
    pub fn file(&self, input: &Path, key: &str, output: &Path, observer: &mut dyn Observer) -> Summary {
        observer.total(1, std::fs::metadata(input).map_or(0, |m| m.len()));
        let mut summary = Summary::default();
        let result = self.one(input, key, output, observer);
        summary.count(input, result, observer);
        summary
    }

    fn one(
        &self,
        input: &Path,
        key: &str,
        output: &Path,
        observer: &mut dyn Observer,
    ) -> Result<PlainLen, UnsealError> {
        let opened = File::open(input).map_err(|source| UnsealError::Io { path: input.to_owned(), source })?;
        self.stretch(file::Stretch::whole(&opened, input)?, key, output, observer)
    }

    fn stretch(
        &self,
        stretch: file::Stretch<'_>,
        key: &str,
        output: &Path,
        observer: &mut dyn Observer,
    ) -> Result<PlainLen, UnsealError> {
        let sealed = file::SealedFile::open(stretch, self, key)?;
        let mut target = Target::create(output, self.overwrite)?;
        sealed.copy_to(&mut target, &mut |bytes| observer.read(bytes))?;
        target.finish(sealed.written_at())?;
        Ok(sealed.plain_len())
    }
}

// === impl Summary ===

impl Summary {
    fn count(&mut self, file: &Path, result: Result<PlainLen, UnsealError>, observer: &mut dyn Observer) {
        match result {
            Ok(plain) => {
                self.files += 1;
                self.bytes += plain.0;
                observer.done(file, plain);
            }
            Err(error) => {
                self.failed += 1;
                observer.failed(file, &error);
            }
        }
    }
}

fn refuse_nested(input: &Path, output: &Path) -> Result<(), UnsealError> {
    let absolute = |path: &Path| {
        let found = path.canonicalize().or_else(|_| std::path::absolute(path));
        found.map_err(|source| UnsealError::Io { path: path.to_owned(), source })
    };
    if absolute(output)?.starts_with(absolute(input)?) { Err(UnsealError::Nested(output.to_owned())) } else { Ok(()) }
}
