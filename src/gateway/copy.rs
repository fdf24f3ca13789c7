//! CopyObject. From 5 MiB on every site copies the sealed body by itself ([`reuse`]); else the source's plaintext becomes a new object, sealed
//! under a key of its own.
use super::Gateway;
use super::checksum::{Declared, algorithm_by_name, object_text, set_checksum, type_name};
use super::conditions::Conditions;
use super::customer::{self, Brought};
use super::encryption::{Encryption, Told};
use super::metadata::{UserMetadata, from_input};
use super::open::{Opened, open};
use super::put::{NewObject, Stored, condition, plan_of, store};
use super::refuse::{kept, refusable, refuse_unsupported};
use super::request;
use super::respond::{GatewayError, failed_authentication};
use crate::s3::Operation;
use crate::seal::ChecksumAlgorithm;
use crate::site::Location;
use reuse::Reuse;
use s3s::dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, ETag, MetadataDirective, TaggingDirective};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use source::{Asked, Found, Source};
use std::sync::Arc;

mod assemble;
mod reuse;
mod rewrap;
pub(super) mod source;

const TAGGING: &str = "x-amz-tagging";

pub(super) async fn copy_object(
    gateway: &Arc<Gateway>,
    req: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let context = request::context(&req);
    let input = &req.input;
    let encryption = refuse_unsupported(refusable!(input, Brought::of(&req.headers, context.as_ref())?))?;
    let brought = Brought::of_source(&req.headers, context.as_ref())?;
    let replaced = replaced(input)?;
    let (from, version) = source::locate(gateway, &permit, &input.copy_source, context.as_ref())?;
    if let Some(asked) = rewrap::asked(&req.headers)? {
        return rewrap::rewrap(gateway, rewrap::Rewrap { at, from, version, asked, permit }, context).await;
    }
    let rekeys = brought.is_some() || encryption.customer().is_some();
    if from == at && version.is_none() && !rekeys && !changes(input, replaced) {
        check_changes_suite(gateway, &at, &req.headers, input).await?;
    }
    let asked_algorithm = input.checksum_algorithm.as_ref().map(|name| algorithm_by_name(name.as_str())).transpose()?;
    let condition = condition(gateway, &at, input.if_match.as_ref(), input.if_none_match.as_ref()).await?;
    let asked = Asked { at: from, version, conditions: conditions(input), range: None, brought };
    let metadata = |opened: &Opened| new_metadata(opened, input, replaced, encryption.is_kms());
    // The body stays as it is: so does the key that it lies under.
    let same_key = customer::is_same(asked.brought.as_ref(), encryption.customer());
    let may_reuse = |opened: &Opened| same_key && reuse::is_possible(gateway, opened, asked_algorithm, &condition);
    let found = source::find_unless(gateway, &asked, may_reuse).await?;
    request::note(context.as_ref(), |facts| facts.also.push(read_of(&asked.at)));
    request::may_read(gateway, &permit, found.opened())?;
    let kept = kept_headers(&req.headers, input, &asked.at, found.opened()).await?;
    let source = match found {
        Found::Read(source) => *source,
        Found::Unread(opened) => {
            let reuse = Reuse {
                from: asked.at.clone(),
                metadata: metadata(&opened),
                kept: kept.clone(),
                opened: opened.clone(),
                at: at.clone(),
                condition: condition.clone(),
                encryption: encryption.clone(),
                who: permit.principal().name.clone(),
            };
            if let Some(stored) = reuse::copy(gateway, reuse, context.clone()).await? {
                let told = encryption.told(gateway, &stored.key);
                return Ok(answer(&opened, stored, opened.object.part_count(), told));
            }
            source::find(gateway, &asked).await?
        }
    };
    let Source { opened, span, body, fault } = source;
    let object = NewObject {
        at,
        body,
        length: span.len(),
        metadata: metadata(&opened),
        kept,
        declared: Declared::default()
            .also(asked_algorithm.or_else(|| own_algorithm(&opened)))?
            .expecting(opened.object.unsealed_md5()),
        trailers: None,
        condition,
        encryption: encryption.clone(),
        who: permit.principal().name.clone(),
    };
    let stored = store(gateway, object, Operation::CopyObject, context.as_ref()).await;
    let stored = stored.map_err(|error| fault.or(of_source(error)))?;
    let told = encryption.told(gateway, &stored.key);
    Ok(answer(&opened, stored, 1, told))
}

/// What the sites are to keep: what the client says, and the source's tags unless it brings others. A lock or an ACL is not copied
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
async fn kept_headers(
    headers: &http::HeaderMap,
    input: &CopyObjectInput,
    from: &Location,
    opened: &Opened,
) -> S3Result<Vec<(&'static str, String)>> {
    let mut kept = kept(headers)?;
    match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
        None | Some(TaggingDirective::COPY) => {
            kept.retain(|(name, _)| *name != TAGGING);
            if opened.has_tags {
                let tags = opened.site.tagging_header(from, opened.named_version.as_deref()).await;
                kept.extend(tags.map_err(GatewayError::from)?.map(|tags| (TAGGING, tags)));
            }
        }
        Some(TaggingDirective::REPLACE) => {}
        Some(_) => return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Unknown tagging directive.")),
    }
    Ok(kept)
}

fn answer(opened: &Opened, stored: Stored, parts: u32, told: Told) -> S3Response<CopyObjectOutput> {
    let mut result = CopyObjectResult {
        e_tag: Some(ETag::Strong(stored.content.etag(parts).as_str().to_owned())),
        last_modified: Some(crate::clock::now().into()),
        ..CopyObjectResult::default()
    };
    if let Some((value, kind)) = &stored.content.checksum {
        set_checksum!(result, value.algorithm, object_text(value, *kind, parts));
        result.checksum_type = Some(type_name(*kind).to_owned().into());
    }
    S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: opened.version_id.clone(),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
        version_id: stored.committed.primary.version_id,
        expiration: stored.committed.primary.expiration,
        ..CopyObjectOutput::default()
    })
}

/// The metadata of the copy: the client's or the source's, and how its encryption was asked for.
fn new_metadata(opened: &Opened, input: &CopyObjectInput, replaced: bool, kms: bool) -> UserMetadata {
    let metadata = if replaced { from_input!(input) } else { kept_metadata(opened, input) };
    UserMetadata { kms, ..metadata }
}

/// The record of the source's read.
pub(super) fn read_of(from: &Location) -> (Operation, String, String) {
    (Operation::GetObject, from.bucket.to_string(), from.key.to_string())
}

/// True when the client brings the metadata of the new object.
fn replaced(input: &CopyObjectInput) -> S3Result<bool> {
    match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Unknown metadata directive.")),
    }
}

/// What S3 asks of a copy of an object onto itself.
fn changes(input: &CopyObjectInput, replaced: bool) -> bool {
    replaced
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some()
}

/// A copy onto itself that changes nothing else changes the object's encryption, where the rule asks for another suite than it has.
///
/// # Errors
/// When it does not, or nobody can say.
async fn check_changes_suite(
    gateway: &Arc<Gateway>,
    at: &Location,
    headers: &http::HeaderMap,
    input: &CopyObjectInput,
) -> S3Result<()> {
    let opened = open(gateway, at).await.map_err(|_| no_change())?;
    let kept = kept_headers(headers, input, at, &opened).await?;
    let plan = plan_of(gateway, at, &kept_metadata(&opened, input), &kept, &Encryption::Usual);
    let changes = opened.object.suite().is_some_and(|suite| suite != plan.terms.suite);
    if changes { Ok(()) } else { Err(no_change()) }
}

/// A copy onto itself that changes nothing is refused, as S3 does.
fn no_change() -> S3Error {
    let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}

fn conditions(input: &CopyObjectInput) -> Conditions {
    Conditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
        if_modified_since: input.copy_source_if_modified_since.clone(),
        if_unmodified_since: input.copy_source_if_unmodified_since.clone(),
    }
}

/// The source's metadata. A redirect belongs to one object and is never copied
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
fn kept_metadata(opened: &Opened, input: &CopyObjectInput) -> UserMetadata {
    UserMetadata { website_redirect: input.website_redirect_location.clone(), ..opened.metadata.clone() }
}

/// The client declared no MD5: a plain source did, by its ETag, and its bytes are something else.
fn of_source(error: GatewayError) -> GatewayError {
    match error {
        GatewayError::S3(error) if *error.code() == S3ErrorCode::BadDigest => failed_authentication().into(),
        error => error,
    }
}

fn own_algorithm(opened: &Opened) -> Option<ChecksumAlgorithm> {
    opened.object.content()?.checksum.map(|(value, _)| value.algorithm)
}
