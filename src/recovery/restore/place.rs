//! Where restored objects go.
use super::{Done, Restore, RestoreError, naming};
use crate::recovery::object::{Nowhere, OpenedObject, ReadError, Sink};
use crate::recovery::target::Target;
use crate::recovery::upload::Upload;
use crate::s3::BucketName;
use crate::site::{Location, ObjectHeaders, Site, SiteError};
use bytes::{Bytes, BytesMut};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Plain or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Plaintext.
    Plain,
    /// As it lies at the site.
    Sealed,
}

/// Where to.
pub enum Destination {
    /// A folder; each key is a path below it.
    Folder(PathBuf),
    /// A bucket, under the same keys.
    Bucket(Site, BucketName),
}

/// Into a file.
struct ToFile {
    target: Target,
    form: Form,
}

/// Into an object.
struct ToObject {
    upload: Upload,
    form: Form,
}

// === impl Form ===

impl Form {
    fn length(self, opened: &OpenedObject) -> u64 {
        match self {
            Self::Plain => opened.plain_len().0,
            Self::Sealed => opened.sealed_len().0,
        }
    }
}

// === impl Destination ===

impl Destination {
    pub(super) async fn prepare(&self) -> Result<(), RestoreError> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Bucket(site, bucket) => match site.create_bucket(bucket, None).await {
                Err(error) if !matches!(&error, SiteError::S3 { status: 409, .. }) => Err(RestoreError::Site(error)),
                _ => Ok(()),
            },
        }
    }

    pub(super) async fn take(&self, job: &Restore, opened: &OpenedObject, at: &Location) -> Result<Done, RestoreError> {
        match self {
            Self::Folder(folder) => to_file(job, opened, at, folder).await,
            Self::Bucket(site, bucket) => {
                let to = Location { bucket: bucket.clone(), key: at.key.clone() };
                to_object(job, opened, site, &to).await
            }
        }
    }
}

async fn to_file(job: &Restore, opened: &OpenedObject, at: &Location, folder: &Path) -> Result<Done, RestoreError> {
    let key = at.key.as_str();
    if opened.plain_len().0 == 0
        && let Some(path) = naming::folder_of(key)
    {
        job.opener.read(opened, &mut Nowhere).await?;
        fs::create_dir_all(folder.join(path?)).map_err(ReadError::Sink)?;
        return Ok(Done::Restored(0));
    }
    let path = folder.join(naming::path_of(key)?);
    if job.resume && is_there(&path, job.form.length(opened), opened.written_at()) {
        return Ok(Done::There);
    }
    let target = Target::create(&path, job.overwrite || job.resume)?;
    let mut sink = ToFile { target, form: job.form };
    job.opener.read(opened, &mut sink).await?;
    sink.target.finish(opened.written_at())?;
    Ok(Done::Restored(opened.plain_len().0))
}

/// A file has its final name, length and time only when it was complete and verified.
fn is_there(path: &Path, length: u64, written_at: u64) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(written_at));
    found.is_file() && found.len() == length && found.modified().ok() == time
}

async fn to_object(job: &Restore, opened: &OpenedObject, site: &Site, to: &Location) -> Result<Done, RestoreError> {
    let length = job.form.length(opened);
    let there = match site.head(to).await {
        Err(error) if error.is_not_found() => None,
        other => Some(other.map_err(RestoreError::Site)?),
    };
    if let Some((etag, found)) = there {
        let same = match job.form {
            Form::Sealed => etag == *opened.sealed_etag(),
            Form::Plain => etag.as_str() == opened.etag().as_str(),
        };
        if job.resume && found.0 == length && same {
            return Ok(Done::There);
        }
        if !job.resume && !job.overwrite {
            return Err(RestoreError::Exists(format!("{}/{}", to.bucket, to.key)));
        }
    }
    let headers = match job.form {
        Form::Sealed => opened.headers().clone(),
        Form::Plain => ObjectHeaders::default(),
    };
    if length == 0 {
        // There is no last byte to hold back, so the verdict comes first.
        job.opener.read(opened, &mut Nowhere).await?;
    }
    let upload = Upload::begin(site, to, &headers, length).await.map_err(RestoreError::Site)?;
    let mut sink = ToObject { upload, form: job.form };
    match job.opener.read(opened, &mut sink).await {
        Ok(()) => sink.upload.finish().await.map_err(RestoreError::Site)?,
        Err(error) => {
            sink.upload.abort().await;
            return Err(error.into());
        }
    }
    Ok(Done::Restored(opened.plain_len().0))
}

#[async_trait::async_trait]
impl Sink for ToFile {
    async fn sealed(&mut self, bytes: &Bytes) -> io::Result<()> {
        if self.form == Form::Sealed { self.target.write(bytes).map_err(io::Error::other) } else { Ok(()) }
    }

    async fn plain(&mut self, bytes: &mut BytesMut) -> io::Result<()> {
        if self.form == Form::Plain { self.target.write(bytes).map_err(io::Error::other) } else { Ok(()) }
    }

    fn wants_plain(&self) -> bool {
        self.form == Form::Plain
    }
}

#[async_trait::async_trait]
impl Sink for ToObject {
    async fn sealed(&mut self, bytes: &Bytes) -> io::Result<()> {
        if self.form == Form::Plain {
            return Ok(());
        }
        self.upload.write(bytes.clone()).await.map_err(io::Error::other)
    }

    async fn plain(&mut self, bytes: &mut BytesMut) -> io::Result<()> {
        if self.form == Form::Sealed {
            return Ok(());
        }
        self.upload.write(bytes.split().freeze()).await.map_err(io::Error::other)
    }

    fn wants_plain(&self) -> bool {
        self.form == Form::Plain
    }
}
