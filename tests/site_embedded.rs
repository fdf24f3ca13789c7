//! What an embedded site promises beyond the conformance suite: a restart keeps everything, nothing leaks into the
//! folder, and nobody without the credential gets in.
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::{
    Location, NO_HEADERS, ObjectHeaders, PutBody, Site, SiteConfig, SiteError, SiteName, Unobserved, WriteCondition,
};

const ALWAYS: WriteCondition = WriteCondition::Always;

async fn start(folder: &Path) -> (EmbeddedSite, Site) {
    let embedded = EmbeddedSite::start(folder, 0, "key", &SecretText::new("secret".into())).await.expect("a site");
    let site = client(&embedded, "secret");
    (embedded, site)
}

fn client(embedded: &EmbeddedSite, secret: &str) -> Site {
    let config = SiteConfig {
        name: SiteName("embedded".into()),
        endpoint: embedded.endpoint(),
        region: "us-east-1".into(),
        access_key_id: "key".into(),
        secret_access_key: SecretText::new(secret.into()),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(20),
        max_idle_connections: 4,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a client")
}

fn bucket() -> BucketName {
    BucketName::parse("bucket").expect("a name")
}

fn at(key: &str) -> Location {
    Location { bucket: bucket(), key: ObjectKey::parse(key).expect("a key") }
}

async fn part(site: &Site, key: &str, id: &str, number: u16, bytes: &'static [u8]) -> strongroom::s3::SealedETag {
    let (sender, chunks) = tokio::sync::mpsc::channel(1);
    sender.send(Bytes::from_static(bytes)).await.expect("room");
    let body = PutBody { length: bytes.len() as u64, chunks };
    site.upload_part(&at(key), id, number, body).await.expect("a part")
}

/// Every file below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for child in std::fs::read_dir(next).expect("readable") {
            let path = child.expect("readable").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// The blobs: what lies below the bucket's own folder.
fn blobs(folder: &Path) -> Vec<PathBuf> {
    let bucket = folder.join("bucket");
    if bucket.exists() { files(&bucket) } else { Vec::new() }
}

/// Blobs go in the background.
async fn await_blobs(folder: &Path, count: usize) {
    for _ in 0..500 {
        if blobs(folder).len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} blobs expected: {:?}", blobs(folder));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_objects_buckets_and_uploads() {
    let folder = tempfile::tempdir().expect("a folder");
    let (embedded, site) = start(folder.path()).await;
    site.create_bucket(&bucket(), None).await.expect("a bucket");
    let etag = site.put_small(&at("dir/object"), "bytes".into(), &ALWAYS).await.expect("written").etag;
    let id = site.create_multipart(&at("multi"), &ObjectHeaders::of(Some("meta"))).await.expect("an upload");
    let first = part(&site, "multi", &id, 4, b"a part").await;
    embedded.stop().await;

    let (embedded, site) = start(folder.path()).await;
    assert_eq!(site.get_small(&at("dir/object")).await.expect("kept"), (Bytes::from("bytes"), etag));
    assert_eq!(site.list_buckets().await.expect("buckets").len(), 1);
    site.complete_multipart(&at("multi"), &id, &[(4, first)], &ALWAYS).await.expect("the upload was kept");
    embedded.stop().await;

    let (_embedded, site) = start(folder.path()).await;
    assert_eq!(site.get_small(&at("multi")).await.expect("kept").0, "a part");
}

/// A kill between the steps of a write leaves what these files imitate.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_sweeps_what_a_kill_left_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (embedded, site) = start(folder.path()).await;
    site.create_bucket(&bucket(), None).await.expect("a bucket");
    site.put_small(&at("object"), "bytes".into(), &ALWAYS).await.expect("written");
    let id = site.create_multipart(&at("multi"), &NO_HEADERS).await.expect("an upload");
    let etag = part(&site, "multi", &id, 1, b"a part").await;
    let upload = folder.path().join(".strongroom/uploads").join(&id);
    let saved: Vec<_> = files(&upload).into_iter().map(|f| (f.clone(), std::fs::read(f).expect("readable"))).collect();
    site.complete_multipart(&at("multi"), &id, &[(1, etag)], &ALWAYS).await.expect("completed");
    embedded.stop().await;

    // The entry of the completed upload was written, its folder not yet removed.
    std::fs::create_dir_all(&upload).expect("a folder");
    saved.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).expect("written"));
    let orphan = folder.path().join("bucket/ab").join("0".repeat(30));
    let mine = folder.path().join("bucket/ab/report.pdf");
    std::fs::create_dir_all(folder.path().join("bucket/ab")).expect("a folder");
    std::fs::write(&orphan, b"half").expect("written");
    std::fs::write(&mine, b"a person's").expect("written");
    let aside = folder.path().join(".strongroom/aside/7");
    std::fs::write(&aside, b"{").expect("written");

    let (_embedded, site) = start(folder.path()).await;
    assert!(!orphan.exists() && !aside.exists() && !upload.exists());
    assert!(mine.exists());
    assert_eq!(site.get_small(&at("object")).await.expect("kept").0, "bytes");
    assert_eq!(site.get_small(&at("multi")).await.expect("kept").0, "a part");
    assert!(site.abort_multipart(&at("multi"), &id).await.expect_err("completed").is_not_found());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_deleted_or_aborted_leaves_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_embedded, site) = start(folder.path()).await;
    site.create_bucket(&bucket(), None).await.expect("a bucket");
    for round in 0..3 {
        site.put_small(&at("k"), Bytes::from(vec![round; 1000]), &ALWAYS).await.expect("written");
    }
    await_blobs(folder.path(), 1).await;
    let refused = site.put_small(&at("k"), "x".into(), &WriteCondition::IfAbsent).await;
    assert!(refused.expect_err("it is there").is_precondition_failed());
    let id = site.create_multipart(&at("m"), &NO_HEADERS).await.expect("an upload");
    part(&site, "m", &id, 1, b"first").await;
    part(&site, "m", &id, 1, b"again").await;
    await_blobs(folder.path(), 2).await;
    site.abort_multipart(&at("m"), &id).await.expect("aborted");
    await_blobs(folder.path(), 1).await;
    site.delete(&at("k")).await.expect("deleted");
    await_blobs(folder.path(), 0).await;
    site.delete_bucket(&bucket()).await.expect("deleted");
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_body_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_embedded, site) = start(folder.path()).await;
    site.create_bucket(&bucket(), None).await.expect("a bucket");
    let (sender, chunks) = tokio::sync::mpsc::channel(1);
    sender.send(Bytes::from(vec![0; 100_000])).await.expect("room");
    drop(sender);
    let broken = site.put(&at("k"), &strongroom::site::NO_HEADERS, &ALWAYS, PutBody { length: 200_000, chunks }).await;
    assert!(matches!(broken, Err(SiteError::Aborted)), "{broken:?}");
    await_blobs(folder.path(), 0).await;
    let left = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".tmp"));
    for _ in 0..500 {
        if !files(folder.path()).iter().any(left) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a half-written file stays: {:?}", files(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_the_credential_gets_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let (embedded, site) = start(folder.path()).await;
    site.create_bucket(&bucket(), None).await.expect("a bucket");
    site.put_small(&at("k"), "x".into(), &ALWAYS).await.expect("written");
    let stranger = client(&embedded, "wrong");
    let refused = stranger.get_small(&at("k")).await.expect_err("a wrong secret");
    assert!(matches!(&refused, SiteError::S3 { status: 403, .. }), "{refused}");
    for request in ["GET /bucket/k", "GET /", "PUT /bucket/k2", "DELETE /bucket/k"] {
        let answer = anonymous(&embedded, request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{request}: {answer}");
    }
}

async fn anonymous(embedded: &EmbeddedSite, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(embedded.address).await.expect("connected");
    let text = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("answered");
    answer
}
