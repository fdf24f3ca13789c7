//! Where things lie in a site's folder, and the one way small files are written: aside, then renamed.
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder's geography.
pub(super) struct Disk {
    root: PathBuf,
    aside: AtomicU64,
}

// === impl Disk ===

impl Disk {
    /// Creates what is missing and removes what a killed process left half-written.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        for folder in ["buckets", "objects", "uploads", "aside"] {
            std::fs::create_dir_all(root.join(".strongroom").join(folder))?;
        }
        let disk = Self { root: root.canonicalize()?, aside: AtomicU64::new(0) };
        for leftover in files(&disk.own("aside"))? {
            std::fs::remove_file(leftover)?;
        }
        Ok(disk)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn own(&self, folder: &str) -> PathBuf {
        self.root.join(".strongroom").join(folder)
    }

    pub(super) fn buckets(&self) -> PathBuf {
        self.own("buckets")
    }

    pub(super) fn bucket_file(&self, bucket: &str) -> PathBuf {
        self.buckets().join(format!("{bucket}.json"))
    }

    /// The folder of a bucket's entries.
    pub(super) fn entries(&self, bucket: &str) -> PathBuf {
        self.own("objects").join(bucket)
    }

    pub(super) fn entry_file(&self, bucket: &str, key: &str) -> PathBuf {
        let hash = hex::encode(Sha256::digest(key.as_bytes()));
        self.entries(bucket).join(&hash[..2]).join(hash)
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.own("uploads")
    }

    pub(super) fn upload(&self, id: &str) -> PathBuf {
        self.uploads().join(id)
    }

    /// Where `s3s-fs` keeps a blob.
    pub(super) fn blob(&self, bucket: &str, blob: &str) -> PathBuf {
        self.root.join(bucket).join(blob)
    }

    /// Replaces `path` by `value` as JSON in one step: a reader, or a restart after a kill, sees the old file or the
    /// new one.
    pub(super) fn replace(&self, path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
        let aside = self.own("aside").join(self.aside.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::write(&aside, serde_json::to_vec(value)?)?;
        match std::fs::rename(&aside, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                }
                std::fs::rename(&aside, path)
            }
            other => other,
        }
    }
}

/// The files of a folder; none when it is not there.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    children(folder, |kind| kind.is_file())
}

/// The folders in a folder; none when it is not there.
pub(super) fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    children(folder, |kind| kind.is_dir())
}

fn children(folder: &Path, wanted: impl Fn(std::fs::FileType) -> bool) -> io::Result<Vec<PathBuf>> {
    let listing = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for child in listing {
        let child = child?;
        if wanted(child.file_type()?) {
            found.push(child.path());
        }
    }
    Ok(found)
}

/// Removes a file; one that is gone is removed already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Reads a JSON file.
pub(super) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    let bytes = std::fs::read(path)?;
    serde_json::from_slice(&bytes).map_err(|e| io::Error::other(format!("{}: {e}", path.display())))
}
