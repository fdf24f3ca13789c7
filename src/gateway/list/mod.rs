//! ListObjects, ListObjectsV2, ListObjectVersions: plain sizes by arithmetic, plain ETags from the index or the trailers.
//!
//! | file | what it holds |
//! |---|---|
//! | [`ask`] | what the client asks for, checked; where a listing goes on |
//! | [`page`] | one page from the first site that answers |
//! | [`etags`] | the ETags that clients know, for a page of sealed objects |
//! | [`versions`] | ListObjectVersions |
//! | [`text`] | `encoding-type=url` |
use super::Gateway;
use super::request;
use crate::site::ListedOwner;
use s3s::dto::{
    self, CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    ObjectStorageClass, Owner,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

mod ask;
mod etags;
mod page;
mod text;
mod versions;

use ask::{Ask, Position};
use etags::Entry;
use page::Page;
pub(super) use text::Encoding;
use text::echoed;
pub(super) use versions::list_object_versions;

/// The owner of what no site names the owner of, where the primary does not say whom it takes us for.
const OWNER: &str = "strongroom";

pub(super) async fn list_objects(
    gateway: &Arc<Gateway>,
    req: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    refuse_unordered(req.uri.query(), req.input.delimiter.as_deref())?;
    let input = req.input;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let ask = Ask::new(bucket, input.prefix, input.delimiter, input.max_keys)?.after(input.marker.as_deref());
    let page = page::fetch(gateway, &ask).await?;
    request::note(context.as_ref(), |facts| facts.served_by = Some(page.site.name().to_string()));

    let next_marker = page.next.as_ref().map(|next| encoding.apply(next.text()));
    let output = ListObjectsOutput {
        name: Some(ask.bucket.as_str().to_owned()),
        prefix: Some(echoed(encoding, &ask.prefix)),
        marker: Some(encoding.apply(input.marker.as_deref().unwrap_or_default())),
        max_keys: i32::try_from(ask.max_keys).ok(),
        is_truncated: Some(page.next.is_some()),
        delimiter: ask.delimiter.as_deref().map(|delimiter| encoding.apply(delimiter)),
        next_marker,
        encoding_type: input.encoding_type,
        common_prefixes: prefixes(&page, encoding),
        contents: contents(page.entries, encoding, Some(&owner(gateway))),
        ..ListObjectsOutput::default()
    };
    Ok(S3Response::with_headers(output, served_by(gateway, &page.site)))
}

/// Ceph's `allow-unordered` (<https://docs.ceph.com/en/latest/radosgw/s3/bucketops/>) is a permission, of which no use is made; but
/// together with a delimiter it is an error.
fn refuse_unordered(query: Option<&str>, delimiter: Option<&str>) -> S3Result<()> {
    let allowed = query.unwrap_or_default().split('&').any(|pair| pair.eq_ignore_ascii_case("allow-unordered=true"));
    if allowed && delimiter.is_some_and(|delimiter| !delimiter.is_empty()) {
        let message = "Unordered listings cannot have a delimiter.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    Ok(())
}

pub(super) async fn list_objects_v2(
    gateway: &Arc<Gateway>,
    req: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    refuse_unordered(req.uri.query(), req.input.delimiter.as_deref())?;
    let input = req.input;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let ask = Ask::new(bucket, input.prefix, input.delimiter, input.max_keys)?;
    let ask = match &input.continuation_token {
        Some(token) => ask.resume(Position::from_token(token)?),
        None => ask.after(input.start_after.as_deref()),
    };
    let page = page::fetch(gateway, &ask).await?;
    request::note(context.as_ref(), |facts| facts.served_by = Some(page.site.name().to_string()));

    let output = ListObjectsV2Output {
        name: Some(ask.bucket.as_str().to_owned()),
        prefix: Some(encoding.apply(&ask.prefix)),
        max_keys: i32::try_from(ask.max_keys).ok(),
        key_count: i32::try_from(page.entries.len() + page.prefixes.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        delimiter: ask.delimiter.as_deref().map(|delimiter| encoding.apply(delimiter)),
        start_after: input.start_after.as_deref().map(|start| encoding.apply(start)),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next.as_ref().map(Position::to_token),
        encoding_type: input.encoding_type,
        common_prefixes: prefixes(&page, encoding),
        contents: contents(page.entries, encoding, input.fetch_owner.unwrap_or(false).then(|| owner(gateway)).as_ref()),
        ..ListObjectsV2Output::default()
    };
    Ok(S3Response::with_headers(output, served_by(gateway, &page.site)))
}

/// Who owns every bucket and object: whom ACLs name, too, which are the primary's own.
pub(super) fn owner(gateway: &Gateway) -> Owner {
    match gateway.sites.primary.owner() {
        Some(owner) => Owner { id: Some(owner.id.clone()), display_name: owner.display_name.clone() },
        None => Owner { id: Some(OWNER.to_owned()), display_name: Some(OWNER.to_owned()) },
    }
}

/// Who owns an object: as its site says, which is what its ACL says, too.
fn owner_of(listed: Option<ListedOwner>, us: &Owner) -> Owner {
    listed.map_or_else(|| us.clone(), |owner| Owner { id: Some(owner.id), display_name: owner.display_name })
}

fn contents(entries: Vec<Entry>, encoding: Encoding, owner: Option<&Owner>) -> Option<Vec<Object>> {
    let object = |entry: Entry| Object {
        key: Some(encoding.apply(&entry.key)),
        size: i64::try_from(entry.size).ok(),
        e_tag: Some(dto::ETag::Strong(entry.etag)),
        last_modified: Some(entry.last_modified.into()),
        owner: owner.map(|us| owner_of(entry.owner, us)),
        storage_class: Some(entry.storage_class.unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned()).into()),
        ..Object::default()
    };
    Some(entries.into_iter().map(object).collect())
}

fn prefixes(page: &Page, encoding: Encoding) -> Option<Vec<CommonPrefix>> {
    Some(page.prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) }).collect())
}

fn served_by(gateway: &Gateway, site: &crate::site::Site) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    request::name_site(gateway, site, &mut headers);
    headers
}
