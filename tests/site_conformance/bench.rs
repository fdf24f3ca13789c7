//! A site with one bucket of its own, and the short words the cases are written in.
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use strongroom::s3::{BucketName, ObjectKey, SealedETag};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::{
    GotObject, ListPage, ListQuery, Location, PutBody, SealedRange, Site, SiteConfig, SiteError, SiteName, Unobserved,
    WriteCondition, Written,
};
use tokio::sync::mpsc;

pub const ALWAYS: WriteCondition = WriteCondition::Always;
pub const MIB: usize = 1024 * 1024;

/// The credential that `scripts/rgw-up` creates.
const RGW_KEY: (&str, &str) = ("STRONGROOMTESTKEY", "strongroom-test-secret");

pub struct Bench {
    pub site: Site,
    pub bucket: BucketName,
    _embedded: Option<(EmbeddedSite, tempfile::TempDir)>,
}

impl Bench {
    pub async fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = SecretText::new("secret".into());
        let embedded = EmbeddedSite::start(folder.path(), 0, "key", &secret).await.expect("an embedded site");
        let site = site(&embedded.endpoint(), "key", "secret");
        Self::with_bucket(site, Some((embedded, folder))).await
    }

    pub async fn rgw() -> Self {
        let endpoint = std::env::var("STRONGROOM_TEST_RGW")
            .expect("STRONGROOM_TEST_RGW names the endpoint of a Ceph RGW; start one with scripts/rgw-up DIR PORT");
        Self::with_bucket(site(&endpoint, RGW_KEY.0, RGW_KEY.1), None).await
    }

    async fn with_bucket(site: Site, embedded: Option<(EmbeddedSite, tempfile::TempDir)>) -> Self {
        let bucket = BucketName::parse("data").expect("a valid name");
        site.create_bucket(&bucket, None).await.expect("a bucket");
        // The quirks of a backend are known from the probe on, as in production.
        site.probe(&bucket).await.expect("a probe");
        Self { site, bucket, _embedded: embedded }
    }

    pub fn at(&self, key: &str) -> Location {
        Location { bucket: self.bucket.clone(), key: ObjectKey::parse(key).expect("a valid key") }
    }

    pub async fn put(&self, key: &str, bytes: &[u8]) -> Written {
        self.put_if(key, bytes, &ALWAYS).await.unwrap_or_else(|error| panic!("{key:?}: {error}"))
    }

    pub async fn put_if(&self, key: &str, bytes: &[u8], condition: &WriteCondition) -> Result<Written, SiteError> {
        let (body, feeder) = body(bytes);
        let at = self.at(key);
        tokio::join!(self.site.put(&at, &strongroom::site::NO_HEADERS, condition, body), feeder).0
    }

    pub async fn get(&self, key: &str, range: SealedRange) -> Result<Vec<u8>, SiteError> {
        read(self.site.get(&self.at(key), range, None).await?).await
    }

    /// Every page of a listing.
    pub async fn list(&self, prefix: &str, delimiter: Option<&str>, max_keys: u32) -> Vec<ListPage> {
        let mut pages = Vec::new();
        let mut query = self.query(prefix, delimiter, max_keys);
        loop {
            let page = self.site.list(&query).await.expect("a listing");
            query.token = page.next_token.clone();
            let truncated = page.truncated;
            assert_eq!(truncated, query.token.is_some());
            pages.push(page);
            if !truncated {
                return pages;
            }
        }
    }

    pub fn query(&self, prefix: &str, delimiter: Option<&str>, max_keys: u32) -> ListQuery {
        ListQuery {
            bucket: self.bucket.clone(),
            prefix: prefix.into(),
            delimiter: delimiter.map(str::to_owned),
            token: None,
            start_after: None,
            max_keys,
        }
    }

    pub async fn upload_part(&self, key: &str, id: &str, part: u16, bytes: &[u8]) -> SealedETag {
        let (body, feeder) = body(bytes);
        let at = self.at(key);
        tokio::join!(self.site.upload_part(&at, id, part, body), feeder).0.expect("a part")
    }
}

fn site(endpoint: &str, key: &str, secret: &str) -> Site {
    let mut id = [0u8; 5];
    strongroom::clock::random(&mut id).expect("randomness");
    let config = SiteConfig {
        name: SiteName("site".into()),
        endpoint: endpoint.into(),
        region: "us-east-1".into(),
        access_key_id: key.into(),
        secret_access_key: SecretText::new(secret.into()),
        ca_pem: None,
        bucket_prefix: format!("t{}-", hex::encode(id)),
        connect_timeout: Duration::from_secs(5),
        stall_timeout: Duration::from_secs(30),
        max_idle_connections: 16,
    };
    Site::new(config, Arc::new(Unobserved)).expect("a site")
}

/// A body in chunks of 64 KiB, and what feeds it.
pub fn body(bytes: &[u8]) -> (PutBody, impl Future<Output = ()> + use<>) {
    let (sender, chunks) = mpsc::channel(2);
    let whole = Bytes::copy_from_slice(bytes);
    let length = whole.len() as u64;
    let feeder = async move {
        for start in (0..whole.len()).step_by(64 * 1024) {
            let end = whole.len().min(start + 64 * 1024);
            if sender.send(whole.slice(start..end)).await.is_err() {
                return;
            }
        }
    };
    (PutBody { length, chunks }, feeder)
}

pub async fn read(mut got: GotObject) -> Result<Vec<u8>, SiteError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    assert_eq!(bytes.len() as u64, got.length);
    Ok(bytes)
}

/// Bytes in which every place is recognisable.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// Status and code of an S3 error; anything else fails the test.
pub fn status(error: &SiteError) -> (u16, &str) {
    match error {
        SiteError::S3 { status, code, .. } => (*status, code.as_str()),
        other => panic!("expected an S3 error, got {other}"),
    }
}
