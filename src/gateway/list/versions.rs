//! ListObjectVersions: the versions of a bucket with plain sizes and ETags. Markers are the backend's own: version ids are
//! those of the site that answers, which is the primary as long as it does.
use super::ask::Ask;
use super::etags::{self, Entry};
use super::{Encoding, owner, owner_of, served_by};
use crate::gateway::Gateway;
use crate::gateway::open::Candidates;
use crate::gateway::request;
use crate::gateway::respond::{GatewayError, own_words};
use crate::site::{ListedObject, ListedVersion, Site, VersionPage, VersionQuery};
use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion,
    ObjectVersionStorageClass, Owner,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::collections::HashMap;
use std::sync::Arc;

pub(in crate::gateway) async fn list_object_versions(
    gateway: &Arc<Gateway>,
    req: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let context = request::context(&req);
    let input = req.input;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let ask = Ask::new(bucket, input.prefix, input.delimiter, input.max_keys)?;
    let version_marker = input.version_id_marker.filter(|marker| !marker.is_empty());
    let key_marker = input.key_marker.filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_none() {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
    }
    let query = VersionQuery {
        bucket: ask.bucket.clone(),
        prefix: ask.prefix.clone(),
        delimiter: ask.delimiter.clone(),
        key_marker: key_marker.clone(),
        version_marker: version_marker.clone(),
        max_keys: ask.max_keys,
    };
    let (page, mut entries, site) = fetch(gateway, &query).await?;
    request::note(context.as_ref(), |facts| facts.served_by = Some(site.name().to_string()));

    let owner = owner(gateway);
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for listed in page.versions {
        if listed.object.is_none() {
            markers.push(marker(listed, encoding, &owner));
        } else if let Some(entry) = entries.remove(&(listed.key.clone(), listed.version_id.clone())) {
            versions.push(version(listed, entry, encoding, &owner));
        }
    }
    let prefixes = page.common_prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) });
    let output = ListObjectVersionsOutput {
        name: Some(ask.bucket.as_str().to_owned()),
        prefix: Some(encoding.apply(&ask.prefix)),
        delimiter: ask.delimiter.as_deref().map(|delimiter| encoding.apply(delimiter)),
        key_marker: Some(encoding.apply(key_marker.as_deref().unwrap_or_default())),
        version_id_marker: Some(version_marker.unwrap_or_default()),
        max_keys: i32::try_from(ask.max_keys).ok(),
        is_truncated: Some(page.truncated),
        next_key_marker: page.next_key_marker.filter(|_| page.truncated).map(|marker| encoding.apply(&marker)),
        next_version_id_marker: page.next_version_marker.filter(|_| page.truncated),
        encoding_type: input.encoding_type,
        common_prefixes: Some(prefixes.collect()),
        versions: Some(versions),
        delete_markers: Some(markers),
        ..ListObjectVersionsOutput::default()
    };
    Ok(S3Response::with_headers(output, served_by(gateway, &site)))
}

/// Plain entries by key and version id.
type Entries = HashMap<(String, String), Entry>;

async fn fetch(gateway: &Arc<Gateway>, query: &VersionQuery) -> S3Result<(VersionPage, Entries, Site)> {
    let ask = |site: Site| async move {
        let page = site.list_versions(query).await?;
        let objects = page.versions.iter().filter_map(as_object).collect();
        let entries = etags::fill(gateway, &site, &query.bucket, objects).await?;
        let by_version = |entry: Entry| {
            let version = entry.version_id.clone()?;
            Some(((entry.key.clone(), version), entry))
        };
        Ok((page, entries.into_iter().filter_map(by_version).collect(), site))
    };
    Candidates::of_bucket(gateway).first(ask).await.map_err(|error| match error {
        GatewayError::Site(error) => own_words(error),
        error => error.into(),
    })
}

fn as_object(version: &ListedVersion) -> Option<ListedObject> {
    let object = version.object.as_ref()?;
    Some(ListedObject {
        key: version.key.clone(),
        size: object.size,
        etag: object.etag.clone(),
        last_modified: version.last_modified,
        storage_class: object.storage_class.clone(),
        version_id: Some(version.version_id.clone()),
        owner: version.owner.clone(),
    })
}

fn version(listed: ListedVersion, entry: Entry, encoding: Encoding, owner: &Owner) -> ObjectVersion {
    let class = entry.storage_class.unwrap_or_else(|| ObjectVersionStorageClass::STANDARD.to_owned());
    ObjectVersion {
        key: Some(encoding.apply(&entry.key)),
        version_id: Some(listed.version_id),
        is_latest: Some(listed.is_latest),
        e_tag: Some(ETag::Strong(entry.etag)),
        size: i64::try_from(entry.size).ok(),
        last_modified: Some(listed.last_modified.into()),
        owner: Some(owner_of(entry.owner, owner)),
        storage_class: Some(class.into()),
        ..ObjectVersion::default()
    }
}

fn marker(listed: ListedVersion, encoding: Encoding, owner: &Owner) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(encoding.apply(&listed.key)),
        version_id: Some(listed.version_id),
        is_latest: Some(listed.is_latest),
        last_modified: Some(listed.last_modified.into()),
        owner: Some(owner_of(listed.owner, owner)),
    }
}
