//! A copy of a site's system bucket in a folder, as any S3 tool would make it: what `Keyring::open_folder` reads.
use crate::s3::{BucketName, ObjectKey};
use crate::site::{ListQuery, Location, Site, SiteError};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Larger objects are parts of uploads in progress, not the keyring.
const LARGEST: u64 = 1024 * 1024;
/// Pages of 1,000 keys that are looked through.
const MOST_PAGES: usize = 100;

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The site failed.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The folder cannot be written.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

/// Copies the small objects of `bucket` at `site` into `folder`; returns how many there were. Writes nothing to
/// the site. Keys that are no plain relative path are left out: none of ours is such.
///
/// # Errors
/// When the site cannot be read or the folder not written.
pub async fn copy(site: &Site, bucket: &BucketName, folder: &Path) -> Result<u64, CopyError> {
    let (mut copied, mut token) = (0, None);
    for _ in 0..MOST_PAGES {
        let query = ListQuery {
            bucket: bucket.clone(),
            prefix: String::new(),
            delimiter: None,
            token,
            start_after: None,
            max_keys: 1000,
        };
        let page = match site.list(&query).await {
            Err(error) if error.is_not_found() => return Ok(0),
            page => page?,
        };
        for object in page.objects.iter().filter(|object| object.size.0 <= LARGEST) {
            if let (Ok(key), true) = (ObjectKey::parse(&object.key), is_plain(&object.key)) {
                copied += copy_one(site, Location { bucket: bucket.clone(), key }, folder).await?;
            }
        }
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(copied)
}

async fn copy_one(site: &Site, at: Location, folder: &Path) -> Result<u64, CopyError> {
    let bytes = match site.get_small(&at).await {
        // Gone since the listing.
        Err(error) if error.is_not_found() => return Ok(0),
        got => got?.0,
    };
    let path = folder.join(at.key.as_str());
    let above = path.parent().unwrap_or(folder);
    fs::create_dir_all(above).and_then(|()| fs::write(&path, &bytes)).map_err(|e| CopyError::Io(path, e))?;
    Ok(1)
}

/// Whether a key stays below the folder it is joined to, under its own name.
fn is_plain(key: &str) -> bool {
    let path = Path::new(key);
    !key.split('/').any(|segment| segment.is_empty() || segment == ".")
        && !key.contains('\0')
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretText;
    use crate::site::embedded::EmbeddedSite;
    use crate::site::{SiteConfig, SiteName, Unobserved, WriteCondition};
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn only_keys_that_stay_in_the_folder_are_plain() {
        for plain in ["a", "a/b.json", "keyring/..x", "字/x"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "..", "a\0b"] {
            assert!(!is_plain(other), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_copy_has_every_small_object_under_its_key_and_leaves_the_site_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = || SecretText::new("0123456789abcdef".into());
        let running = EmbeddedSite::start(&folder.path().join("site"), 0, "AK", &secret()).await.expect("a site");
        let config = SiteConfig {
            name: SiteName("one".into()),
            endpoint: running.endpoint(),
            region: "us-east-1".into(),
            access_key_id: "AK".into(),
            secret_access_key: secret(),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(3),
            stall_timeout: Duration::from_secs(30),
            max_idle_connections: 2,
        };
        let site = Site::new(config, Arc::new(Unobserved)).expect("a client");
        let bucket = BucketName::parse("system").expect("a bucket");
        let target = folder.path().join("copy");
        assert_eq!(copy(&site, &bucket, &target).await.expect("no bucket is an empty copy"), 0);
        site.create_bucket(&bucket, None).await.expect("a bucket");
        for (key, length) in [("a", 3), ("keyring/b", 5), ("../c", 1), ("big", LARGEST as usize + 1)] {
            let at = Location { bucket: bucket.clone(), key: ObjectKey::parse(key).expect("a key") };
            site.put_small(&at, vec![7; length].into(), &WriteCondition::Always).await.expect("a put");
        }
        assert_eq!(copy(&site, &bucket, &target).await.expect("a copy"), 2);
        assert_eq!(fs::read(target.join("keyring/b")).expect("a file"), [7; 5]);
        assert!(!folder.path().join("c").exists() && !target.join("big").exists());
        running.stop().await;
    }
}
