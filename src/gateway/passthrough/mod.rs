//! Configuration that the sites keep: policies, tags, ACLs, locks, versioning, lifecycle and the like. A request is verified and
//! decided on like any other, then passed on: a question to the first site that answers, a change to every site.
//!
//! The answer is the site's own, with its own error where it has no such thing.
use super::Gateway;
use super::checksum::{Declared, Hasher};
use super::ingest::{collect, sha256_mismatch};
use super::open::Candidates;
use super::publish;
use super::refuse::passed;
use super::request;
use super::respond::{GatewayError, not_implemented, own_words};
use crate::authz::Permit;
use crate::s3::{Operation, PlainLen};
use crate::site::tee::TeeError;
use crate::site::{Forward, Forwarded, Site};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use s3s::{Body, S3Error, S3Request, S3Response, S3Result};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

mod sizes;
mod table;

pub use table::{Row, TABLE, Verb, find};
pub(super) use table::{pairs, query as query_of};

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Serves one request that belongs to `row`.
pub(super) async fn pass_on(
    gateway: &Arc<Gateway>,
    row: &'static Row,
    permit: &Permit,
    req: S3Request<Body>,
) -> S3Result<S3Response<Body>> {
    let context = request::context(&req);
    let S3Request { input, method, uri, headers, trailing_headers, .. } = req;
    let declared = Declared::from_headers(&headers)?;
    let body = collect(input).await?;
    verify_sha256(&headers, &body)?;
    let mut hasher = Hasher::new(&gateway.md5, PlainLen(body.len() as u64), declared.algorithm());
    hasher.update(&body).await?;
    let (md5, checksum) = hasher.finish().await?;
    declared.verify(&md5, checksum.as_ref(), trailing_headers.as_ref())?;
    if row.operation == Operation::RestoreObject && selects(&body) {
        return Err(not_implemented("A query over the bytes of an archived object, which are sealed,"));
    }
    publish::remember(gateway, permit, &headers, &body).await?;

    let forward = Forward {
        method,
        bucket: request::bucket_of(permit)?,
        key: permit.key().cloned(),
        query: table::query(row, uri.query().unwrap_or_default()),
        headers: passed(&headers, table::HEADERS)?,
        body: if row.operation == Operation::PutBucketLifecycleConfiguration { sizes::sealed(body) } else { body },
    };
    let bucket = forward.bucket.clone();
    let (answer, site) = match row.method {
        Verb::Get => ask(gateway, &forward).await?,
        Verb::Put | Verb::Post | Verb::Delete => {
            let told = tell(gateway, forward).await;
            gateway.cors.forget(&bucket);
            (told?, gateway.sites.primary.clone())
        }
    };
    request::note(context.as_ref(), |facts| facts.served_by = Some(site.name().to_string()));
    let mut out = HeaderMap::new();
    request::name_site(gateway, &site, &mut out);
    for name in table::ANSWER_HEADERS {
        if let Some(value) = answer.headers.get(*name) {
            out.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let lifecycle = row.operation == Operation::GetBucketLifecycleConfiguration;
    let told = if lifecycle { sizes::plain(answer.body) } else { answer.body };
    let mut response = S3Response::with_headers(Body::from(told), out);
    response.status = http::StatusCode::from_u16(answer.status).ok();
    Ok(response)
}

async fn ask(gateway: &Arc<Gateway>, forward: &Forward) -> S3Result<(Forwarded, Site)> {
    let ask = |site: Site| async move {
        let answer = site.forward(forward).await?;
        Ok((answer, site))
    };
    Candidates::of_bucket(gateway).first(ask).await.map_err(answered)
}

async fn tell(gateway: &Gateway, forward: Forward) -> S3Result<Forwarded> {
    gateway.tee.configure(forward).await.map_err(|error| answered(error.into()))
}

/// What the site said, in its own words.
fn answered(error: GatewayError) -> S3Error {
    match error {
        GatewayError::Site(error) | GatewayError::Tee(TeeError::Site(error)) => own_words(error),
        error => error.into(),
    }
}

/// Whether a site is to look into an archived object, and not only to bring it back
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html>).
fn selects(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    ["SelectParameters", "OutputLocation", "<Type>"].iter().any(|name| text.contains(name))
}

/// `s3s` does not compare it for requests that it does not know.
fn verify_sha256(headers: &HeaderMap, body: &Bytes) -> S3Result<()> {
    let mut signed = [0; 32];
    let given = headers.get(CONTENT_SHA256).is_some_and(|hex| hex::decode_to_slice(hex, &mut signed).is_ok());
    if given && signed != <[u8; 32]>::from(Sha256::digest(body)) {
        return Err(sha256_mismatch());
    }
    Ok(())
}
