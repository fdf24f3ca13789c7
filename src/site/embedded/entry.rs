//! The records of an embedded site, in memory and as JSON.
use s3s::dto::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use time::OffsetDateTime;

/// An object: what it is made of and what HEAD says about it. Immutable once committed.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) modified: OffsetDateTime,
    pub(super) attributes: Attributes,
    pub(super) blobs: Vec<Arc<Blob>>,
}

/// The headers that belong to an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<String>,
}

/// A file of sealed bytes, written once. Once forgotten it is unlinked when the last reader lets go.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) length: u64,
    forgotten: AtomicBool,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub(super) struct PartRecord {
    pub(super) blob: Arc<Blob>,
    pub(super) etag: String,
    pub(super) modified: OffsetDateTime,
}

/// [`Entry`] on disk.
#[derive(Serialize, Deserialize)]
pub(super) struct EntryFile {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) modified_nanos: i128,
    pub(super) attributes: Attributes,
    pub(super) blobs: Vec<BlobRef>,
}

/// A blob on disk, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BlobRef {
    pub(super) name: String,
    pub(super) length: u64,
}

/// A part on disk.
#[derive(Serialize, Deserialize)]
pub(super) struct PartFile {
    pub(super) blob: BlobRef,
    pub(super) etag: String,
    pub(super) modified_nanos: i128,
}

/// An upload on disk (its parts lie beside it).
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct UploadFile {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) initiated_nanos: i128,
    pub(super) attributes: Attributes,
}

/// A bucket on disk.
#[derive(Serialize, Deserialize)]
pub(super) struct BucketFile {
    pub(super) created_nanos: i128,
}

// === impl Entry ===

impl Entry {
    pub(super) fn to_file(&self, key: &str) -> EntryFile {
        EntryFile {
            key: key.to_owned(),
            etag: self.etag.clone(),
            modified_nanos: self.modified.unix_timestamp_nanos(),
            attributes: self.attributes.clone(),
            blobs: self.blobs.iter().map(|blob| blob.to_ref()).collect(),
        }
    }

    /// When it was modified, to the second: what HTTP dates can say and conditions compare.
    pub(super) fn modified(&self) -> Timestamp {
        self.modified.replace_nanosecond(0).unwrap_or(self.modified).into()
    }
}

// === impl Blob ===

impl Blob {
    pub(super) fn new(name: String, path: PathBuf, length: u64) -> Arc<Self> {
        Arc::new(Self { name, path, length, forgotten: AtomicBool::new(false) })
    }

    pub(super) fn to_ref(&self) -> BlobRef {
        BlobRef { name: self.name.clone(), length: self.length }
    }

    /// An entry or a part on disk names it.
    pub(super) fn keep(&self) {
        self.forgotten.store(false, Ordering::Release);
    }

    /// Nothing on disk names it (yet, or any more).
    pub(super) fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if self.forgotten.load(Ordering::Acquire) {
            let path = std::mem::take(&mut self.path);
            let unlink = move || {
                if let Err(error) = super::disk::remove(&path) {
                    tracing::warn!(%error, "a blob could not be removed; the next start sweeps it");
                }
            };
            // Unlinking gigabytes takes milliseconds: not on a connection's thread.
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(unlink)),
                Err(_) => unlink(),
            }
        }
    }
}

/// Nanoseconds since 1970 as a time; 1970 itself for what no calendar holds.
pub(super) fn time_of(nanos: i128) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
