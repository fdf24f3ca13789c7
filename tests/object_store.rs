//! The `object_store` crate (Apache Arrow, Delta Lake, Polars, SlateDB) as a client of the built proxy over two embedded sites: its own
//! conformance suite, and what its users build on.
mod demo;

use async_trait::async_trait;
use bytes::Bytes;
use demo::Demo;
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector as Plain};
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut, S3CopyIfNotExists};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion, integration,
};
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::site::Location;

const BUCKET: &str = "lake";

/// hyper as the crate's HTTP client: all that is needed on loopback, and here already.
#[derive(Clone, Debug)]
struct Wire(Client<Plain, Full<Bytes>>);

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?.to_bytes();
        let answer = self.0.request(http::Request::from_parts(head, Full::new(body))).await;
        let (head, body) = answer.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?.into_parts();
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

struct World {
    demo: Demo,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let demo = Demo::start(&folder.path().join("demo"));
        let bucket = BucketName::parse(BUCKET).expect("a bucket name");
        demo.client(&demo.endpoints()[0]).create_bucket(&bucket, None).await.expect("a bucket");
        Self { demo, _folder: folder }
    }

    fn builder(&self) -> AmazonS3Builder {
        let of = |name: &str| self.demo.exports[name].clone();
        AmazonS3Builder::new()
            .with_endpoint(of("AWS_ENDPOINT_URL"))
            .with_access_key_id(of("AWS_ACCESS_KEY_ID"))
            .with_secret_access_key(of("AWS_SECRET_ACCESS_KEY"))
            .with_region(of("AWS_REGION"))
            .with_bucket_name(BUCKET)
            .with_allow_http(true)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
            .with_http_connector(Wire(Client::builder(TokioExecutor::new()).build_http()))
    }

    fn store(&self) -> AmazonS3 {
        self.builder().build().expect("a store")
    }

    /// The object's sealed bytes, which both sites hold alike.
    async fn sealed(&self, key: &str) -> Bytes {
        let at = Location {
            bucket: BucketName::parse(BUCKET).expect("a bucket name"),
            key: ObjectKey::parse(key).expect("a key"),
        };
        let [_, primary, backup] = self.demo.endpoints();
        let (ours, theirs) = (self.demo.get(&primary, &at).await, self.demo.get(&backup, &at).await);
        assert!(ours == theirs, "the sites differ");
        ours
    }
}

#[tokio::test]
async fn the_crates_own_suite_holds() {
    let world = World::start().await;
    let store = world.store();
    integration::put_get_delete_list(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    integration::get_opts(&store).await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::stream_get(&store).await;
    integration::multipart(&store, &store).await;
    integration::multipart_with_opts(&store, &store).await;
    integration::multipart_put_part_out_of_order(&store, &store).await;
    integration::multipart_race_condition(&store, true).await;
    integration::multipart_out_of_order(&store).await;
    integration::put_get_attributes(&store).await;
    integration::list_paginated(&store, &store).await;
    integration::put_opts(&store, true).await;
    integration::copy_rename_nonexistent_object(&store).await;
}

#[tokio::test]
async fn every_way_of_hashing_a_body_is_taken() {
    let world = World::start().await;
    for store in [
        world.builder().with_unsigned_payload(true).build(),
        world.builder().with_checksum_algorithm(Checksum::SHA256).build(),
        world.builder().with_checksum_algorithm(Checksum::CRC64NVME).build(),
    ] {
        integration::put_get_delete_list(&store.expect("a store")).await;
    }
}

#[tokio::test]
async fn what_it_writes_is_sealed_and_what_it_reads_is_the_plain_object() {
    let world = World::start().await;
    let store = world.store();
    let (path, plain) = (Path::from("table/part-0.parquet"), Bytes::from(vec![7u8; 300_000]));
    let put = store.put(&path, plain.clone().into()).await.expect("a put");
    let sealed = world.sealed(path.as_ref()).await;
    assert!(sealed.len() > plain.len() && !sealed.windows(64).any(|window| window == &plain[..64]));
    let found = store.head(&path).await.expect("it is there");
    assert_eq!((found.size, &found.e_tag), (300_000, &put.e_tag));
    let listed: Vec<_> = store.list(Some(&Path::from("table"))).try_collect().await.expect("a listing");
    assert_eq!((listed.len(), listed[0].size, &listed[0].e_tag), (1, 300_000, &put.e_tag));
    let ranges = store.get_ranges(&path, &[0..10, 16_380..16_390, 299_990..300_000]).await.expect("ranges");
    assert!(ranges.iter().all(|range| range[..] == plain[..10]));
    let last = GetOptions { range: Some(GetRange::Suffix(5)), ..GetOptions::default() };
    let got = store.get_opts(&path, last).await.expect("a suffix");
    assert_eq!(got.range, 299_995..300_000);
}

#[tokio::test]
async fn a_log_of_commits_has_one_winner_for_every_number() {
    let world = World::start().await;
    let store = world.store();
    let path = Path::from("table/_delta_log/00000000000000000001.json");
    let tries = (0..8).map(|writer| {
        let (store, path) = (&store, &path);
        async move { store.put_opts(path, format!("writer {writer}").into(), PutMode::Create.into()).await }
    });
    let outcomes = futures_util::future::join_all(tries).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.iter().all(|lost| matches!(lost, Err(Error::AlreadyExists { .. }))), "{lost:?}");
    let first = won.into_iter().next().and_then(Result::ok).expect("one won");

    let version = UpdateVersion { e_tag: first.e_tag, version: None };
    store.put_opts(&path, "next".into(), PutMode::Update(version.clone()).into()).await.expect("nobody was quicker");
    let stale = store.put_opts(&path, "stale".into(), PutMode::Update(version).into()).await;
    assert!(matches!(stale, Err(Error::Precondition { .. })), "{stale:?}");
    assert_eq!(store.get(&path).await.expect("there").bytes().await.expect("bytes"), "next");
}
