//! A small S3 client for the tests, and a look behind the gateway.
use crate::gateway::testbed::{Answer, BUCKET, Testbed, at};
use crate::s3::{BucketName, Operation};
use crate::site::{ListQuery, Location, SealedRange, Site};
use futures_util::StreamExt;
use md5::{Digest, Md5};

/// S3's smallest part but the last.
pub(super) const MIB5: usize = 5 * 1024 * 1024;

/// A multipart upload under way.
pub(super) struct Upload<'a> {
    pub bed: &'a Testbed,
    pub key: String,
    pub id: String,
}

// === impl Answer ===

impl Answer {
    /// The text of the first element of this name.
    pub(super) fn element(&self, name: &str) -> String {
        self.elements(name).into_iter().next().unwrap_or_default()
    }

    /// The text of every element of this name.
    pub(super) fn elements(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let inner = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        inner.map(|text| text.replace("&quot;", "\"").replace("&#34;", "\"")).collect()
    }

    /// Status and S3 code, for comparison in one go; the code is empty when it succeeded.
    pub(super) fn outcome(&self) -> (u16, String) {
        (self.status, if self.status < 300 { String::new() } else { self.element("Code") })
    }

    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// An error's status and code.
pub(super) fn error(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

// === impl Testbed ===

impl Testbed {
    pub(super) async fn upload_object(&self, key: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        self.send_bytes("PUT", Operation::PutObject, &format!("/{BUCKET}/{key}"), headers, body).await
    }

    pub(super) async fn copy(&self, from: &str, to: &str, headers: &[(&str, &str)]) -> Answer {
        let source = format!("{BUCKET}/{from}");
        let mut all = vec![("x-amz-copy-source", source.as_str())];
        all.extend(headers);
        self.ask("PUT", Operation::CopyObject, &format!("/{to}"), &all).await
    }

    pub(super) async fn create(&self, key: &str, headers: &[(&str, &str)]) -> Upload<'_> {
        let answer = self.try_create(key, headers).await.expect(200);
        Upload { bed: self, key: key.to_owned(), id: answer.element("UploadId") }
    }

    pub(super) async fn try_create(&self, key: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("POST", Operation::CreateMultipartUpload, &format!("/{key}?uploads"), headers).await
    }

    pub(super) async fn send_bytes(
        &self,
        method: &str,
        operation: Operation,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend(headers);
        self.send(method, operation, target, &all, s3s::Body::from(body.to_vec())).await
    }

    /// What a client gets.
    pub(super) async fn fetch(&self, key: &str) -> Vec<u8> {
        self.get(&format!("/{key}"), &[]).await.expect(200).body
    }

    /// The sealed bytes at a site.
    pub(super) async fn sealed_at(&self, site: &Site, key: &str) -> Option<Vec<u8>> {
        bytes_at(site, &at(key)).await
    }

    /// Both sites hold the very same sealed bytes, and none of the plaintext.
    pub(super) async fn assert_same_everywhere(&self, key: &str, plain: &[u8]) {
        let primary = self.sealed_at(self.primary(), key).await.expect("at the primary");
        let backup = self.sealed_at(self.backup(), key).await.expect("at the backup");
        assert!(primary == backup, "the sites differ");
        let sealed = crate::seal::sealed_len(crate::s3::PlainLen(plain.len() as u64)).expect("a length");
        assert_eq!(primary.len() as u64, sealed.0, "the sealed length is not the canonical one");
        for window in plain.chunks_exact(64).take(4) {
            assert!(!primary.windows(64).any(|sealed| sealed == window), "plaintext at a site");
        }
    }

    /// No site holds anything under this key.
    pub(super) async fn assert_nowhere(&self, key: &str) {
        for site in self.gateway.sites.all() {
            assert!(self.sealed_at(site, key).await.is_none(), "{} holds {key}", site.name());
        }
    }

    /// Keys of staged parts at a site.
    pub(super) async fn staged_at(&self, site: &Site) -> Vec<String> {
        let bucket: BucketName = self.gateway.authorizer.system_bucket().clone();
        let query = ListQuery {
            bucket,
            prefix: "staging/".to_owned(),
            delimiter: None,
            token: None,
            start_after: None,
            max_keys: 1000,
        };
        let page = site.list(&query).await.expect("a listing");
        page.objects.into_iter().map(|object| object.key).collect()
    }

    pub(super) async fn assert_nothing_staged(&self) {
        for site in self.gateway.sites.all() {
            assert_eq!(self.staged_at(site).await, Vec::<String>::new(), "{}", site.name());
        }
    }

    /// How many misses are on record.
    pub(super) async fn misses(&self) -> u64 {
        self.gateway.state.backlog().await.expect("a state").pending
    }
}

// === impl Upload ===

impl Upload<'_> {
    pub(super) async fn try_part(&self, number: i32, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let target = format!("/{BUCKET}/{}?partNumber={number}&uploadId={}", self.key, self.id);
        self.bed.send_bytes("PUT", Operation::UploadPart, &target, headers, body).await
    }

    /// Uploads a part; its ETag, quoted.
    pub(super) async fn part(&self, number: i32, body: &[u8]) -> String {
        let answer = self.try_part(number, body, &[]).await.expect(200);
        assert_eq!(answer.header("etag"), format!("\"{}\"", hex::encode(Md5::digest(body))));
        answer.header("etag").to_owned()
    }

    pub(super) async fn part_copy(&self, number: i32, from: &str, headers: &[(&str, &str)]) -> Answer {
        let source = format!("{BUCKET}/{from}");
        let mut all = vec![("x-amz-copy-source", source.as_str())];
        all.extend(headers);
        let target = format!("/{}?partNumber={number}&uploadId={}", self.key, self.id);
        self.bed.ask("PUT", Operation::UploadPartCopy, &target, &all).await
    }

    pub(super) async fn complete(&self, parts: &[(i32, &str)]) -> Answer {
        self.complete_with(parts, &[]).await
    }

    pub(super) async fn complete_with(&self, parts: &[(i32, &str)], headers: &[(&str, &str)]) -> Answer {
        let parts: String = parts
            .iter()
            .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
            .collect();
        self.complete_xml(&parts, headers).await
    }

    /// With the checksum of each part, as ListParts tells it.
    pub(super) async fn complete_with_sums(&self, parts: &[(i32, &str)], headers: &[(&str, &str)]) -> Answer {
        let listed = self.list("").await.expect(200).elements("Part");
        let sum_of = |number: i32| {
            let part = listed.iter().find(|part| part.contains(&format!("<PartNumber>{number}<")));
            let (_, rest) = part.expect("an uploaded part").split_once("<Checksum").expect("a checksum");
            let (name, rest) = rest.split_once('>').expect("an element");
            let (sum, _) = rest.split_once('<').expect("an element");
            format!("<Checksum{name}>{sum}</Checksum{name}>")
        };
        let part = |(number, etag): &(i32, &str)| {
            let sum = sum_of(*number);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{sum}</Part>")
        };
        self.complete_xml(&parts.iter().map(part).collect::<String>(), headers).await
    }

    pub(super) async fn complete_xml(&self, parts: &str, headers: &[(&str, &str)]) -> Answer {
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let target = format!("/{BUCKET}/{}?uploadId={}", self.key, self.id);
        self.bed.send_bytes("POST", Operation::CompleteMultipartUpload, &target, headers, body.as_bytes()).await
    }

    pub(super) async fn abort(&self) -> Answer {
        let target = format!("/{}?uploadId={}", self.key, self.id);
        self.bed.ask("DELETE", Operation::AbortMultipartUpload, &target, &[]).await
    }

    pub(super) async fn list(&self, query: &str) -> Answer {
        let target = format!("/{}?uploadId={}{query}", self.key, self.id);
        self.bed.ask("GET", Operation::ListParts, &target, &[]).await
    }

    /// The backend's own uploads, from the state.
    pub(super) async fn at_sites(&self) -> Vec<(String, String)> {
        let upload = self.bed.gateway.state.upload(&self.id).await.expect("a state");
        upload.map(|upload| upload.sites).unwrap_or_default()
    }
}

/// `md5-N` over the parts, quoted.
pub(super) fn multipart_etag(parts: &[&[u8]]) -> String {
    let md5s: Vec<u8> = parts.iter().flat_map(|part| Md5::digest(part).to_vec()).collect();
    format!("\"{}-{}\"", hex::encode(Md5::digest(md5s)), parts.len())
}

async fn bytes_at(site: &Site, at: &Location) -> Option<Vec<u8>> {
    let mut got = match site.get(at, SealedRange::Whole, None).await {
        Err(error) if error.is_not_found() => return None,
        result => result.expect("an answer of the site"),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = got.body.next().await {
        bytes.extend_from_slice(&chunk.expect("a chunk"));
    }
    Some(bytes)
}
