//! A listing of the primary, exported in good times: what the backup should have had.
use super::report::ManifestCheck;
use crate::recovery::reconcile::merge::{self, ListError};
use crate::s3::BucketName;
use crate::site::{ListedObject, Site};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::iter::Peekable;
use std::path::Path;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) bucket: String,
    pub(super) key: String,
    /// Sealed bytes.
    pub(super) size: u64,
    pub(super) etag: Option<String>,
    /// Unix seconds.
    pub(super) modified: i64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    strongroom_manifest: u32,
    /// Unix seconds.
    taken: i64,
}

/// Why a manifest could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file.
    #[error("the manifest: {0}")]
    Io(#[from] io::Error),
    /// Its content.
    #[error("the manifest is none of ours: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The listing.
    #[error("{0}")]
    List(String),
}

/// Held against what is listed at the backup, in one pass.
pub(super) struct Comparison {
    lines: Peekable<Box<dyn Iterator<Item = Result<Line, ManifestError>> + Send>>,
    pub(super) check: ManifestCheck,
    /// When the oldest write happened that the backup does not have, Unix seconds.
    pub(super) oldest_lost: Option<i64>,
}

/// Writes every object of these buckets, one JSON object a line, in order; how many there were.
///
/// # Errors
/// When the site cannot be listed or `out` not be written.
pub async fn export(
    site: &Site,
    buckets: &[BucketName],
    taken: i64,
    out: &mut (dyn Write + Send),
) -> Result<u64, ManifestError> {
    serde_json::to_writer(&mut *out, &Header { strongroom_manifest: 1, taken })?;
    out.write_all(b"\n")?;
    let mut count = 0;
    for bucket in buckets {
        let mut listing = merge::listing(site, bucket, "");
        while let Some(object) = listing.next().await {
            let object = object.map_err(|e: ListError| ManifestError::List(e.to_string()))?;
            let line = Line {
                bucket: bucket.to_string(),
                key: object.key,
                size: object.size.0,
                etag: object.etag.map(|etag| etag.as_str().to_owned()),
                modified: object.last_modified.unix_timestamp(),
            };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
            count += 1;
        }
    }
    out.flush()?;
    Ok(count)
}

// === impl Comparison ===

impl Comparison {
    pub(super) fn open(path: &Path) -> Result<Self, ManifestError> {
        let mut file = BufReader::new(File::open(path)?);
        let mut first = String::new();
        file.read_line(&mut first)?;
        let header: Header = serde_json::from_str(&first)?;
        let lines = file.lines().map(|line| Ok(serde_json::from_str(&line?)?));
        Ok(Self::new(Box::new(lines), header.taken))
    }

    fn new(lines: Box<dyn Iterator<Item = Result<Line, ManifestError>> + Send>, taken: i64) -> Self {
        let check = ManifestCheck { taken, ..ManifestCheck::default() };
        Self { lines: lines.peekable(), check, oldest_lost: None }
    }

    /// The next object of the backup, in the order of buckets and keys.
    pub(super) fn offer(&mut self, bucket: &str, object: &ListedObject) -> Result<(), ManifestError> {
        while let Some(line) = self.next_up_to(bucket, &object.key)? {
            self.check.objects += 1;
            if (line.bucket.as_str(), line.key.as_str()) != (bucket, object.key.as_str()) {
                self.check.missing += 1;
                self.lost(&line);
            } else if is_another(&line, object) {
                self.check.different += 1;
                // What was written at the backup after the export is newer, not lost.
                if object.last_modified.unix_timestamp() <= self.check.taken {
                    self.lost(&line);
                }
            }
        }
        Ok(())
    }

    /// Whatever is left was not listed.
    pub(super) fn end(&mut self) -> Result<(), ManifestError> {
        while let Some(line) = self.lines.next().transpose()? {
            self.check.objects += 1;
            self.check.missing += 1;
            self.lost(&line);
        }
        Ok(())
    }

    fn next_up_to(&mut self, bucket: &str, key: &str) -> Result<Option<Line>, ManifestError> {
        let due = |line: &Result<Line, ManifestError>| match line {
            Ok(line) => (line.bucket.as_str(), line.key.as_str()) <= (bucket, key),
            Err(_) => true,
        };
        self.lines.next_if(due).transpose()
    }

    fn lost(&mut self, line: &Line) {
        self.oldest_lost = Some(self.oldest_lost.map_or(line.modified, |oldest| oldest.min(line.modified)));
    }
}

/// Other bytes. ETags of multipart uploads depend on where parts were cut, so only two plain ones prove a difference.
fn is_another(line: &Line, object: &ListedObject) -> bool {
    let differ = match (&line.etag, &object.etag) {
        (Some(ours), Some(theirs)) => !ours.contains('-') && !theirs.as_str().contains('-') && ours != theirs.as_str(),
        _ => false,
    };
    line.size != object.size.0 || differ
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::{SealedETag, SealedLen};
    use time::OffsetDateTime;

    fn line(bucket: &str, key: &str, etag: &str, modified: i64) -> Result<Line, ManifestError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Ok(Line { bucket, key, size: 700, etag: Some(etag.to_owned()), modified })
    }

    fn object(key: &str, etag: &str, modified: i64) -> ListedObject {
        ListedObject {
            key: key.to_owned(),
            size: SealedLen(700),
            etag: Some(SealedETag::from_backend(etag)),
            last_modified: OffsetDateTime::from_unix_timestamp(modified).expect("a time"),
            storage_class: None,
            version_id: None,
            owner: None,
        }
    }

    #[test]
    fn what_the_backup_lacks_or_has_otherwise_is_counted_and_the_oldest_loss_is_known() {
        let lines = vec![
            line("a", "1", "x", 10),
            line("a", "2", "x", 50),
            line("a", "3", "old", 40),
            line("a", "4", "x-2", 20),
            line("b", "1", "x", 70),
            line("c", "1", "x", 60),
        ];
        let mut comparison = Comparison::new(Box::new(lines.into_iter()), 100);
        for (bucket, found) in [
            ("a", object("1", "x", 10)),
            ("a", object("3", "new", 45)),
            ("a", object("4", "x-3", 21)),
            ("a", object("5", "x", 99)),
            ("b", object("1", "later", 130)),
        ] {
            comparison.offer(bucket, &found).expect("no error");
        }
        comparison.end().expect("no error");
        let expected = ManifestCheck { taken: 100, objects: 6, missing: 2, different: 2 };
        assert_eq!((comparison.check, comparison.oldest_lost), (expected, Some(40)));
    }
}
