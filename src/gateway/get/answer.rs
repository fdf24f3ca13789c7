//! The headers of a GET or HEAD, all of the plaintext.
use super::select::{Question, Selection};
use crate::gateway::Gateway;
use crate::gateway::encryption::Told;
use crate::gateway::open::Opened;
use crate::gateway::request::name_site;
use crate::seal::{ChecksumAlgorithm, ChecksumType, ChecksumValue};
use crate::site::RETENTION_NOTE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use s3s::dto::{self, GetObjectOutput};

/// Says that the site lost the object's sealed metadata: what is answered has none.
const METADATA: &str = "x-strongroom-metadata";
/// Says that the object lies plain in storage.
const UNSEALED: &str = "x-strongroom-unsealed";
/// Says what the object is sealed with.
const SUITE: &str = "x-strongroom-suite";
/// What S3 answers for an object that was put without a type.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// Everything but the body.
pub(in crate::gateway) fn describe(
    gateway: &Gateway,
    opened: &Opened,
    selection: &Selection,
    question: &Question,
    with_checksum: bool,
) -> GetObjectOutput {
    let metadata = &opened.metadata;
    let told = Told::of(gateway, opened, question.brought.as_ref());
    let span = &selection.span;
    let mut output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: metadata.cache_control.clone(),
        content_disposition: metadata.content_disposition.clone(),
        content_encoding: metadata.content_encoding.clone(),
        content_language: metadata.content_language.clone(),
        content_length: i64::try_from(span.len().0).ok(),
        content_range: selection.partial.then(|| span.content_range()),
        content_type: Some(metadata.content_type.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned())),
        e_tag: Some(dto::ETag::Strong(opened.object.etag().as_str().to_owned())),
        expires: metadata.expires.clone(),
        last_modified: Some(opened.last_modified.into()),
        metadata: Some(metadata.user.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        parts_count: selection.part.and_then(|(parts, _)| i32::try_from(parts).ok()),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
        version_id: opened.version_id.clone(),
        website_redirect_location: metadata.website_redirect.clone(),
        ..GetObjectOutput::default()
    };
    if with_checksum {
        add_checksum(&mut output, opened, selection);
    }
    output
}

/// Headers that S3 has no field for.
pub(in crate::gateway) fn extra_headers(gateway: &Gateway, opened: &Opened) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    if opened.metadata_missing {
        headers.insert(METADATA, http::HeaderValue::from_static("missing"));
    }
    if opened.object.sealed().is_none() {
        headers.insert(UNSEALED, http::HeaderValue::from_static("true"));
    }
    if let Some(suite) = opened.object.suite() {
        headers.insert(SUITE, http::HeaderValue::from_static(suite.name()));
    }
    for (name, value) in opened.told.iter().filter(|(name, _)| *name != RETENTION_NOTE) {
        headers.insert(*name, value.clone());
    }
    name_site(gateway, &opened.site, &mut headers);
    headers
}

/// The object's checksum when all of it is served, the part's when a part is: clients compare it with the bytes.
fn add_checksum(output: &mut GetObjectOutput, opened: &Opened, selection: &Selection) {
    let Some((value, kind)) = opened.object.content().and_then(|content| content.checksum) else { return };
    let all = selection.span.len() == selection.span.total;
    let text = match (selection.part, kind) {
        (Some((_, Some(part))), _) => text_of(&part),
        (Some((_, None)), _) => return,
        (None, _) if !all => return,
        (None, ChecksumType::FullObject) => text_of(&value),
        (None, ChecksumType::Composite) => format!("{}-{}", text_of(&value), opened.object.part_count()),
    };
    let algorithm = selection.part.and_then(|(_, part)| part).map_or(value.algorithm, |part| part.algorithm);
    let slot = match algorithm {
        ChecksumAlgorithm::Crc32 => &mut output.checksum_crc32,
        ChecksumAlgorithm::Crc32c => &mut output.checksum_crc32c,
        ChecksumAlgorithm::Crc64Nvme => &mut output.checksum_crc64nvme,
        ChecksumAlgorithm::Sha1 => &mut output.checksum_sha1,
        ChecksumAlgorithm::Sha256 => &mut output.checksum_sha256,
    };
    *slot = Some(text);
    output.checksum_type = Some(dto::ChecksumType::from_static(match kind {
        ChecksumType::FullObject => dto::ChecksumType::FULL_OBJECT,
        ChecksumType::Composite => dto::ChecksumType::COMPOSITE,
    }));
}

fn text_of(value: &ChecksumValue) -> String {
    let length = match value.algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
        ChecksumAlgorithm::Crc64Nvme => 8,
        ChecksumAlgorithm::Sha1 => 20,
        ChecksumAlgorithm::Sha256 => 32,
    };
    STANDARD.encode(&value.bytes[..length])
}
