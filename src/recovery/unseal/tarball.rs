//! A tarball of sealed files (plain or gzip): read in place where it is plain; of a compressed one each sealed file is
//! unpacked beside the output first, because its end has to be read before its beginning.
use super::file::Stretch;
use super::{Observer, Summary, Unseal, UnsealError};
use crate::clock;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// How a sealed object ends: such a file is an object, whatever its name says.
const SEALED_END: &[u8] = b"SRSEAL\x01\x00";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One sealed object, or nothing we know.
    Object,
    /// A tarball.
    Tar,
    /// A compressed tarball.
    TarGz,
}

/// Looks into a file.
///
/// # Errors
/// When it cannot be read.
pub fn kind_of(path: &Path) -> io::Result<Kind> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let bytes = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).map(|()| bytes).unwrap_or_default()
    };
    let end = length.saturating_sub(SEALED_END.len() as u64);
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    Ok(if bytes(end, SEALED_END.len()) == SEALED_END {
        Kind::Object
    } else if bytes(257, 5) == b"ustar" {
        Kind::Tar
    } else if bytes(0, 2) == GZIP && (name.ends_with(".tar.gz") || name.ends_with(".tgz")) {
        Kind::TarGz
    } else {
        Kind::Object
    })
}

/// A sealed file unpacked for a moment; removed when dropped.
struct Unpacked {
    file: File,
    path: PathBuf,
}

impl Unseal<'_> {
    /// Unseals every file of a tarball; `strip` is taken off the front of their paths, what does not begin so is left out.
    ///
    /// # Errors
    /// When the tarball itself cannot be read to its end; what happens to single files is the observer's and the summary's.
    pub fn tarball(
        &self,
        input: &Path,
        kind: Kind,
        strip: &Path,
        output: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Summary, UnsealError> {
        let fail = |source| UnsealError::Io { path: input.to_owned(), source };
        let file = File::open(input).map_err(fail)?;
        observer.total(1, file.metadata().map_err(fail)?.len());
        let reader: Box<dyn Read> = match kind {
            Kind::TarGz => Box::new(MultiGzDecoder::new(BufReader::new(file.try_clone().map_err(fail)?))),
            _ => Box::new(BufReader::new(file.try_clone().map_err(fail)?)),
        };
        let mut archive = tar::Archive::new(reader);
        let mut summary = Summary::default();
        for entry in archive.entries().map_err(fail)? {
            let mut entry = entry.map_err(fail)?;
            let kind_of_entry = entry.header().entry_type();
            let path = entry.path().map_err(fail)?.into_owned();
            if kind_of_entry.is_dir() {
                continue;
            }
            let Some(relative) = relative(&path, strip) else { continue };
            let result = if kind_of_entry.is_file() && kind == Kind::Tar {
                let (start, length) = (entry.raw_file_position(), entry.size());
                let stretch = Stretch { file: &file, path: &path, start, length };
                self.entry(stretch, &relative, output, observer)
            } else if kind_of_entry.is_file() {
                unpack(&mut entry, output).map_err(fail).and_then(|unpacked| {
                    let length = unpacked.file.metadata().map_err(fail)?.len();
                    let stretch = Stretch { file: &unpacked.file, path: &path, start: 0, length };
                    self.entry(stretch, &relative, output, observer)
                })
            } else {
                Err(UnsealError::Special)
            };
            summary.count(&path, result, observer);
        }
        Ok(summary)
    }

    fn entry(
        &self,
        stretch: Stretch<'_>,
        relative: &Path,
        output: &Path,
        observer: &mut dyn Observer,
    ) -> Result<crate::s3::PlainLen, UnsealError> {
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(UnsealError::Outside);
        }
        let key = super::walk::key_of(relative)?;
        self.stretch(stretch, &key, &output.join(relative), observer)
    }
}

/// The path below `strip`, without a leading `./`.
fn relative(path: &Path, strip: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.strip_prefix(strip).ok().map(Path::to_owned)
}

fn unpack(entry: &mut impl Read, folder: &Path) -> io::Result<Unpacked> {
    fs::create_dir_all(folder)?;
    let mut random = [0u8; 8];
    clock::random(&mut random).map_err(io::Error::other)?;
    let path = folder.join(format!(".strongroom-{}.sealed", hex::encode(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let mut unpacked = Unpacked { file, path };
    io::copy(entry, &mut unpacked.file)?;
    unpacked.file.seek(SeekFrom::Start(0))?;
    Ok(unpacked)
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // Sealed bytes; the name says what they are.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_dot_and_what_is_stripped() {
        let below = |path: &str, strip: &str| relative(Path::new(path), Path::new(strip));
        assert_eq!(below("./a/b", ""), Some("a/b".into()));
        assert_eq!(below("ledgers/a/b", "ledgers"), Some("a/b".into()));
        assert_eq!(below("./ledgers/a/b", "ledgers/"), Some("a/b".into()));
        assert_eq!(below("other/a", "ledgers"), None);
    }

    #[test]
    fn a_file_is_what_it_holds_not_what_it_is_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let kind = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).expect("a file");
            kind_of(&path).expect("a readable file")
        };
        let mut tar = vec![0; 1024];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(kind("vault", &tar), Kind::Tar);
        assert_eq!(kind("vault.tar.gz", b"\x1f\x8bmore"), Kind::TarGz);
        assert_eq!(kind("data.gz", b"\x1f\x8bmore"), Kind::Object);
        assert_eq!(kind("sealed.tar.gz", b"\x1f\x8b....SRSEAL\x01\x00"), Kind::Object);
        assert_eq!(kind("empty", b""), Kind::Object);
    }
}
