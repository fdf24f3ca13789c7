//! Bucket operations: create, delete, head, list, location.
//!
//! Buckets exist at every site under the same logical name. The region that clients name is ours, not the sites':
//! each site has its own, so a client's LocationConstraint is accepted and not passed on.
use super::Gateway;
use super::list::owner;
use super::multipart;
use super::open::Candidates;
use super::refuse::passed;
use super::request;
use super::respond::{GatewayError, own_words};
use crate::s3::BucketName;
use crate::site::tee::TeeError;
use crate::site::{ListedBucket, Site};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
    ListBucketsOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// S3's first region, which answers "no constraint" for its buckets.
const CLASSIC_REGION: &str = "us-east-1";
/// Most buckets in one answer, as in S3.
const MAX_BUCKETS: i32 = 10_000;
/// Headers of CreateBucket that every site is told
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>).
const CONFIGURING: &[&str] = &[
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-object-ownership",
];

pub(super) async fn create_bucket(
    gateway: &Arc<Gateway>,
    req: S3Request<CreateBucketInput>,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let headers = passed(&req.headers, CONFIGURING)?;
    let created = gateway.tee.create_bucket(&bucket, None, &headers).await;
    created.map_err(|error| match error {
        TeeError::Site(error) => own_words(error),
        error => GatewayError::from(error).into(),
    })?;
    let output = CreateBucketOutput { location: Some(format!("/{bucket}")), ..CreateBucketOutput::default() };
    Ok(S3Response::new(output))
}

pub(super) async fn delete_bucket(
    gateway: &Arc<Gateway>,
    req: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let uploads = multipart::uploads_in(gateway, &bucket).await?;
    gateway.tee.delete_bucket(&bucket).await.map_err(GatewayError::from)?;
    gateway.cors.forget(&bucket);
    multipart::forget_all(gateway, &bucket, &uploads).await;
    if let Err(error) = gateway.state.forget_published(&bucket).await {
        tracing::warn!(%bucket, %error, "what was public in a deleted bucket could not be forgotten");
    }
    Ok(S3Response::new(DeleteBucketOutput::default()))
}

pub(super) async fn head_bucket(
    gateway: &Arc<Gateway>,
    req: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let site = find_bucket(gateway, &bucket).await?;
    request::note(context.as_ref(), |facts| facts.served_by = Some(site.name().to_string()));
    let output = HeadBucketOutput { bucket_region: Some(gateway.region.clone()), ..HeadBucketOutput::default() };
    Ok(S3Response::new(output))
}

pub(super) async fn get_bucket_location(
    gateway: &Arc<Gateway>,
    req: S3Request<GetBucketLocationInput>,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    find_bucket(gateway, &bucket).await?;
    let constraint = Some(gateway.region.clone()).filter(|region| region != CLASSIC_REGION);
    let output = GetBucketLocationOutput { location_constraint: constraint.map(BucketLocationConstraint::from) };
    Ok(S3Response::new(output))
}

pub(super) async fn list_buckets(
    gateway: &Arc<Gateway>,
    req: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    request::permit(&req)?;
    let context = request::context(&req);
    let (site, listed) = all_buckets(gateway).await?;
    request::note(context.as_ref(), |facts| facts.served_by = Some(site.name().to_string()));
    let hidden = gateway.authorizer.system_bucket();
    let (buckets, next) = select(listed, hidden, &gateway.region, &req.input)?;
    let shown = |bucket: ListedBucket| Bucket {
        name: Some(bucket.name),
        creation_date: bucket.created.map(Into::into),
        ..Bucket::default()
    };
    let output = ListBucketsOutput {
        buckets: Some(buckets.into_iter().map(shown).collect()),
        continuation_token: next,
        owner: Some(owner(gateway)),
        prefix: req.input.prefix,
    };
    let mut headers = http::HeaderMap::new();
    request::name_site(gateway, &site, &mut headers);
    Ok(S3Response::with_headers(output, headers))
}

/// The first site that has it; the primary's "no" is final.
async fn find_bucket(gateway: &Arc<Gateway>, bucket: &BucketName) -> Result<Site, GatewayError> {
    let ask = |site: Site| async move {
        site.head_bucket(bucket).await?;
        Ok(site)
    };
    Candidates::of_bucket(gateway).first(ask).await
}

async fn all_buckets(gateway: &Arc<Gateway>) -> Result<(Site, Vec<ListedBucket>), GatewayError> {
    let ask = |site: Site| async move {
        let buckets = site.list_buckets().await?;
        Ok((site, buckets))
    };
    Candidates::of_bucket(gateway).first(ask).await
}

/// Prefix, region, page. The system bucket, and names that no client could use, are not shown.
fn select(
    mut listed: Vec<ListedBucket>,
    hidden: &BucketName,
    region: &str,
    input: &ListBucketsInput,
) -> S3Result<(Vec<ListedBucket>, Option<String>)> {
    let after = input.continuation_token.as_deref().map(bucket_of_token).transpose()?;
    let limit = match input.max_buckets.unwrap_or(MAX_BUCKETS) {
        limit @ 1..=MAX_BUCKETS => limit as usize,
        _ => return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "max-buckets must be from 1 to 10000")),
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let here = input.bucket_region.as_deref().is_none_or(|asked| asked == region);
    listed.retain(|bucket| {
        here && bucket.name.starts_with(prefix)
            && after.as_deref().is_none_or(|after| bucket.name.as_str() > after)
            && BucketName::parse(&bucket.name).is_ok_and(|name| name != *hidden)
    });
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| more).map(|bucket| URL_SAFE_NO_PAD.encode(&bucket.name));
    Ok((listed, next))
}

fn bucket_of_token(token: &str) -> S3Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.filter(|name| BucketName::parse(name).is_ok()).ok_or_else(|| {
        S3Error::with_message(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Vec<ListedBucket> {
        names.iter().map(|name| ListedBucket { name: (*name).to_owned(), created: None }).collect()
    }

    fn names(input: &ListBucketsInput) -> (Vec<String>, Option<String>) {
        let hidden = BucketName::parse("strongroom-system").expect("a valid name");
        let all = listed(&["zeta", "alpha", "strongroom-system", "beta-1", "beta-2", "Not_A_Bucket"]);
        let (buckets, next) = select(all, &hidden, "eu-1", input).expect("a valid question");
        (buckets.into_iter().map(|bucket| bucket.name).collect(), next)
    }

    #[test]
    fn the_system_bucket_and_unusable_names_are_hidden() {
        assert_eq!(names(&ListBucketsInput::default()).0, ["alpha", "beta-1", "beta-2", "zeta"]);
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let mut input = ListBucketsInput { max_buckets: Some(3), ..ListBucketsInput::default() };
        let (first, token) = names(&input);
        assert_eq!(first, ["alpha", "beta-1", "beta-2"]);
        input.continuation_token = token;
        assert_eq!(names(&input), (vec!["zeta".to_owned()], None));
    }

    #[test]
    fn prefix_and_region_narrow_the_list() {
        let prefixed = ListBucketsInput { prefix: Some("beta".to_owned()), ..ListBucketsInput::default() };
        assert_eq!(names(&prefixed).0, ["beta-1", "beta-2"]);
        let elsewhere = ListBucketsInput { bucket_region: Some("us-1".to_owned()), ..ListBucketsInput::default() };
        assert_eq!(names(&elsewhere).0, Vec::<String>::new());
    }
}
