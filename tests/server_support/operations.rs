//! The few S3 operations behind the front under test: what is stored is only counted, and some keys misbehave.
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body::Frame;
use s3s::dto::{
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, ListBucketsInput, ListBucketsOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What was stored, and a gate that an upload to `gated` waits at.
#[derive(Default)]
pub struct Store {
    pub objects: Mutex<BTreeMap<String, usize>>,
    pub gate: Notify,
    pub at_gate: Notify,
}

/// A handful of operations.
pub struct Operations(pub Arc<Store>);

// === impl Operations ===

#[async_trait::async_trait]
impl S3 for Operations {
    async fn list_buckets(&self, _req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        Ok(S3Response::new(ListBucketsOutput::default()))
    }

    async fn head_object(&self, _req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        Err(s3_error!(NoSuchKey))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let deleted = req.input.delete.objects.into_iter();
        let deleted = deleted.map(|object| DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted.collect()), ..Default::default() }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let piece = || Ok::<_, io::Error>(Bytes::from(vec![7; 64 * 1024]));
        let (length, body): (i64, StreamingBlob) = match req.input.key.as_str() {
            "panic" => panic!("a test's handler panics"),
            "late-panic" => {
                let pieces =
                    futures_util::stream::iter(0..4).map(move |n| if n < 2 { piece() } else { panic!("late") });
                (4 * 64 * 1024, blob(pieces))
            }
            "broken" => {
                let pieces = futures_util::stream::iter([piece(), Err(io::Error::other("the site broke"))]);
                (4 * 64 * 1024, blob(pieces))
            }
            "big" => (1024 * 64 * 1024, blob(futures_util::stream::repeat_with(piece).take(1024))),
            // Tells which range arrived.
            "range" => {
                let range = req.input.range.map_or_else(|| "whole".to_owned(), |range| range.to_header_string());
                (range.len() as i64, blob(futures_util::stream::iter([Ok(Bytes::from(range))])))
            }
            "small" => (64 * 1024, blob(futures_util::stream::iter([piece()]))),
            _ => return Err(s3_error!(NoSuchKey)),
        };
        let output = GetObjectOutput { content_length: Some(length), body: Some(body), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut size = 0;
        if let Some(mut body) = req.input.body.take() {
            while let Some(piece) = body.next().await {
                size += piece.map_err(|error| body_error(error.as_ref()))?.len();
            }
        }
        if req.input.key == "gated" {
            self.0.at_gate.notify_one();
            self.0.gate.notified().await;
        }
        self.0.objects.lock().expect("no test panics with the lock").insert(req.input.key, size);
        Ok(S3Response::new(PutObjectOutput::default()))
    }
}

/// As the gateway has it: what `s3s` found wrong with a body, in its own code.
fn body_error(error: &(dyn std::error::Error + Send + Sync + 'static)) -> s3s::S3Error {
    let chunked = error.downcast_ref::<s3s::stream::aws_chunked_stream::AwsChunkedStreamError>();
    chunked.map_or_else(|| s3_error!(InternalError), |error| s3s::S3Error::new(error.to_s3_error_code()))
}

fn blob(pieces: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + Sync + 'static) -> StreamingBlob {
    let frames = http_body_util::StreamBody::new(pieces.map(|piece| piece.map(Frame::data)));
    StreamingBlob::from(s3s::Body::http_body(frames))
}
