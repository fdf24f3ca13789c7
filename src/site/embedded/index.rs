//! What is in the store: buckets, objects and uploads, in memory, rebuilt from the folder at start.
use super::disk::{self, Disk};
use super::entry::{Blob, BlobRef, BucketFile, Entry, EntryFile, PartFile, PartRecord, UploadFile, time_of};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;

/// Everything.
#[derive(Default)]
pub(super) struct Index {
    pub(super) buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: HashMap<String, Upload>,
}

/// A bucket's objects in the order of their keys' bytes.
pub(super) struct Bucket {
    pub(super) created: OffsetDateTime,
    pub(super) objects: BTreeMap<String, Arc<Entry>>,
}

/// An upload under way.
#[derive(Clone)]
pub(super) struct Upload {
    pub(super) file: UploadFile,
    pub(super) parts: BTreeMap<u16, PartRecord>,
}

// === impl Index ===

impl Index {
    /// Reads the folder, and sweeps what no entry names: blobs of writes that a kill broke off.
    pub(super) fn load(disk: &Disk) -> io::Result<Self> {
        let mut index = Self::default();
        for file in disk::files(&disk.buckets())? {
            let Some(name) = file.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else { continue };
            let bucket: BucketFile = disk::read(&file)?;
            let objects = objects(disk, name)?;
            index.buckets.insert(name.to_owned(), Bucket { created: time_of(bucket.created_nanos), objects });
        }
        let mut live = index.blobs();
        for folder in disk::folders(&disk.uploads())? {
            if let Some((id, upload)) = upload(disk, &folder, &live, &index)? {
                live.extend(upload.parts.values().map(|part| part.blob.name.clone()));
                index.uploads.insert(id, upload);
            } else {
                std::fs::remove_dir_all(&folder)?;
            }
        }
        sweep(disk, &index, &live)?;
        Ok(index)
    }

    fn blobs(&self) -> HashSet<String> {
        let entries = self.buckets.values().flat_map(|bucket| bucket.objects.values());
        entries.flat_map(|entry| &entry.blobs).map(|blob| blob.name.clone()).collect()
    }
}

fn objects(disk: &Disk, bucket: &str) -> io::Result<BTreeMap<String, Arc<Entry>>> {
    let mut objects = BTreeMap::new();
    for folder in disk::folders(&disk.entries(bucket))? {
        for file in disk::files(&folder)? {
            let file: EntryFile = disk::read(&file)?;
            let blobs: Vec<_> = file.blobs.into_iter().map(|blob| on_disk(disk, bucket, blob)).collect();
            let entry = Entry {
                etag: file.etag,
                size: blobs.iter().map(|blob| blob.length).sum(),
                modified: time_of(file.modified_nanos),
                attributes: file.attributes,
                blobs,
            };
            objects.insert(file.key, Arc::new(entry));
        }
    }
    Ok(objects)
}

fn on_disk(disk: &Disk, bucket: &str, blob: BlobRef) -> Arc<Blob> {
    let path = disk.blob(bucket, &blob.name);
    Blob::new(blob.name, path, blob.length)
}

/// `None` for an upload that was never begun in full, whose bucket is gone, or that was completed just before a kill
/// (its blobs belong to the object now).
fn upload(disk: &Disk, folder: &Path, live: &HashSet<String>, index: &Index) -> io::Result<Option<(String, Upload)>> {
    let Some(id) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let head = folder.join("upload.json");
    if !head.exists() {
        return Ok(None);
    }
    let file: UploadFile = disk::read(&head)?;
    let mut parts = BTreeMap::new();
    for path in disk::files(folder)? {
        let Some(number) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        let part: PartFile = disk::read(&path)?;
        let blob = on_disk(disk, &file.bucket, part.blob);
        parts.insert(number, PartRecord { blob, etag: part.etag, modified: time_of(part.modified_nanos) });
    }
    let completed = parts.values().any(|part: &PartRecord| live.contains(&part.blob.name));
    let orphaned = completed || !index.buckets.contains_key(&file.bucket);
    Ok((!orphaned).then(|| (id.to_owned(), Upload { file, parts })))
}

/// Removes blobs that nothing names, and the side files that `s3s-fs` writes and we do not use. Only what has the
/// shape of our own names is touched: the folder may be a person's.
fn sweep(disk: &Disk, index: &Index, live: &HashSet<String>) -> io::Result<()> {
    for bucket in index.buckets.keys() {
        for folder in disk::folders(&disk.root().join(bucket))? {
            for file in disk::files(&folder)? {
                let name = file.strip_prefix(disk.root().join(bucket)).ok().and_then(|name| name.to_str());
                if name.is_some_and(|name| super::blobs::is_name(name) && !live.contains(name)) {
                    disk::remove(&file)?;
                }
            }
        }
    }
    for file in disk::files(disk.root())? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(".bucket-") && name.ends_with(".json") {
            disk::remove(&file)?;
        }
    }
    Ok(())
}
