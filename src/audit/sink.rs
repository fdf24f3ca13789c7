//! Where lines go: a file that is appended to, or standard output. Nothing is given up while the proxy runs: what
//! could not be written is tried again from the byte at which it failed.
use super::log::Target;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An open destination and what it still has to take.
pub(super) struct Sink {
    path: Option<PathBuf>,
    out: Box<dyn Write + Send>,
    pending: Vec<u8>,
    written: usize,
    records: u64,
}

// === impl Sink ===

impl Sink {
    /// Opens the destination; `None` when there is none.
    pub(super) fn open(target: &Target) -> io::Result<Option<Self>> {
        let (path, out): (_, Box<dyn Write + Send>) = match target {
            Target::Off => return Ok(None),
            Target::Stdout => (None, Box::new(io::stdout())),
            Target::File(path) => (Some(path.clone()), Box::new(append(path)?)),
        };
        Ok(Some(Self { path, out, pending: Vec::new(), written: 0, records: 0 }))
    }

    /// Takes a record's lines into the batch.
    pub(super) fn push(&mut self, lines: &str) {
        self.pending.extend_from_slice(lines.as_bytes());
        self.records += 1;
    }

    /// Bytes in the batch.
    pub(super) fn len(&self) -> usize {
        self.pending.len() - self.written
    }

    /// Records in the batch.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Writes the batch out; how many records it held. After an error the rest can be tried again.
    pub(super) fn flush(&mut self) -> io::Result<u64> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()?;
        self.pending.clear();
        self.written = 0;
        Ok(std::mem::take(&mut self.records))
    }

    /// Opens the file anew, so that a rotated one is let go. A half-written batch goes on in the new file with the
    /// rest of its line; rotation tools signal between writes, so this is for failing disks only.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.out = Box::new(append(path)?);
        }
        Ok(())
    }
}

/// Opens for appending; a new file is readable by its owner only (it names clients' objects).
fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Takes `room` bytes, then fails until there is room again.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock().expect("no test panics with the lock");
            let taken = bytes.len().min(disk.1);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.1 -= taken;
            disk.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_full_disk_the_rest_follows_without_a_gap_or_a_repetition() {
        let disk = Disk::default();
        let mut sink = Sink { path: None, out: Box::new(disk.clone()), pending: Vec::new(), written: 0, records: 0 };
        sink.push("first line\n");
        sink.push("second line\n");
        disk.0.lock().expect("no test panics with the lock").1 = 15;
        assert!(sink.flush().is_err());
        assert_eq!(sink.len(), 8);
        disk.0.lock().expect("no test panics with the lock").1 = 100;
        assert_eq!(sink.flush().ok(), Some(2));
        assert_eq!(disk.0.lock().expect("no test panics with the lock").0, b"first line\nsecond line\n");
    }

    #[test]
    fn a_new_log_file_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("access.log");
        Sink::open(&Target::File(path.clone())).expect("it opens");
        assert_eq!(path.metadata().expect("it exists").permissions().mode() & 0o777, 0o600);
    }
}
