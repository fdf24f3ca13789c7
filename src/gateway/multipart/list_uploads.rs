//! ListMultipartUploads, from the state: in order of key, then upload id.
use super::create::is_upload_id;
use super::leftover::is_leftover;
use super::list_parts::{MAX_PAGE, initiator, page_size, timestamp};
use super::session::{ask_leave, check_bucket, storage_class};
use crate::gateway::Gateway;
use crate::gateway::list::{Encoding, owner};
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::s3::BucketName;
use crate::state::{State, Upload};
use s3s::dto::{CommonPrefix, ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload, Owner};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

/// Sorts behind every upload id.
const BEHIND_ALL_IDS: &str = "~";

/// What is asked for.
struct Asked {
    bucket: BucketName,
    prefix: String,
    delimiter: Option<String>,
    key_marker: String,
    id_marker: String,
    limit: usize,
}

/// One page.
#[derive(Default)]
struct Page {
    uploads: Vec<Upload>,
    prefixes: Vec<String>,
    /// Key and upload id of the last entry.
    last: Option<(String, String)>,
    /// True when there is more behind it.
    is_truncated: bool,
}

pub(in crate::gateway) async fn list_multipart_uploads(
    gateway: &Arc<Gateway>,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let bucket = request::bucket_of(&request::permit(&req)?)?;
    let input = req.input;
    let encoding = Encoding::parse(input.encoding_type.as_ref())?;
    let key_marker = input.key_marker.unwrap_or_default();
    let asked = Asked {
        bucket,
        prefix: input.prefix.unwrap_or_default(),
        delimiter: input.delimiter.filter(|delimiter| !delimiter.is_empty()),
        // S3 ignores an upload id without a key.
        id_marker: input.upload_id_marker.filter(|_| !key_marker.is_empty()).unwrap_or_default(),
        key_marker,
        limit: page_size(input.max_uploads, "max-uploads")? as usize,
    };
    refuse_odd_marker(&asked.id_marker)?;
    check_bucket(gateway, &asked.bucket).await?;
    let primary = &gateway.sites.primary;
    if primary.is_acting() {
        // The state tells everybody's: the primary says whether this caller may see them.
        let mut query = vec![("max-uploads".to_owned(), "1".to_owned()), ("uploads".to_owned(), String::new())];
        query.extend((!asked.prefix.is_empty()).then(|| ("prefix".to_owned(), asked.prefix.clone())));
        ask_leave(primary, &asked.bucket, None, query).await?;
    }
    let page = asked.page(&gateway.state).await?;
    let owner = owner(gateway);
    // S3 names them on the last page, too.
    let (next_key, next_id) = page.last.clone().unzip();
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(asked.bucket.as_str().to_owned()),
        common_prefixes: Some(
            page.prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) }).collect(),
        ),
        delimiter: asked.delimiter.as_deref().map(|delimiter| encoding.apply(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.is_truncated),
        key_marker: Some(encoding.apply(&asked.key_marker)),
        max_uploads: i32::try_from(asked.limit).ok(),
        next_key_marker: next_key.map(|key| encoding.apply(&key)),
        next_upload_id_marker: next_id,
        prefix: Some(encoding.apply(&asked.prefix)).filter(|prefix| !prefix.is_empty()),
        upload_id_marker: Some(asked.id_marker),
        uploads: Some(page.uploads.iter().map(|upload| show(upload, encoding, &owner)).collect()),
        ..ListMultipartUploadsOutput::default()
    }))
}

/// # Errors
/// InvalidArgument for what was never an upload's id here.
fn refuse_odd_marker(marker: &str) -> S3Result<()> {
    if marker.is_empty() || marker == BEHIND_ALL_IDS || is_upload_id(marker) {
        return Ok(());
    }
    Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid uploadId marker"))
}

fn show(upload: &Upload, encoding: Encoding, owner: &Owner) -> MultipartUpload {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    MultipartUpload {
        checksum_algorithm: text(&upload.checksum_algorithm).map(Into::into),
        checksum_type: text(&upload.checksum_type).map(Into::into),
        initiated: timestamp(upload.created_at),
        initiator: Some(initiator(upload)),
        key: Some(encoding.apply(upload.key.as_str())),
        owner: Some(owner.clone()),
        storage_class: Some(storage_class(upload)),
        upload_id: Some(upload.id.clone()),
    }
}

// === impl Asked ===

impl Asked {
    async fn page(&self, state: &State) -> Result<Page, GatewayError> {
        let mut page = Page::default();
        let id = if self.id_marker.is_empty() { BEHIND_ALL_IDS } else { &self.id_marker };
        let mut after = (!self.key_marker.is_empty()).then(|| (self.key_marker.clone(), id.to_owned()));
        if self.limit == 0 {
            return Ok(page);
        }
        loop {
            let place = after.as_ref().map(|(key, id)| (key.as_str(), id.as_str()));
            let batch = state.uploads(&self.bucket, &self.prefix, place, MAX_PAGE).await?;
            let Some(end) = batch.last().map(|upload| (upload.key.to_string(), upload.id.clone())) else {
                return Ok(page);
            };
            for upload in batch.into_iter().filter(|upload| !is_leftover(upload)) {
                let prefix = self.prefix_of(upload.key.as_str()).map(str::to_owned);
                if prefix
                    .as_ref()
                    .is_some_and(|prefix| *prefix == self.key_marker || page.prefixes.last() == Some(prefix))
                {
                    continue;
                }
                if page.uploads.len() + page.prefixes.len() == self.limit {
                    page.is_truncated = true;
                    return Ok(page);
                }
                match prefix {
                    Some(prefix) => {
                        page.last = Some((prefix.clone(), String::new()));
                        page.prefixes.push(prefix);
                    }
                    None => {
                        page.last = Some((upload.key.to_string(), upload.id.clone()));
                        page.uploads.push(upload);
                    }
                }
            }
            after = Some(end);
        }
    }

    /// What a key is rolled up into, where it is.
    fn prefix_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let start = self.prefix.len();
        let at = key.get(start..)?.find(delimiter)?;
        key.get(..start + at + delimiter.len())
    }
}
