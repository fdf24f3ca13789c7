//! CreateMultipartUpload: a DEK and object id for all the parts to come, an upload at every site.
use crate::gateway::Gateway;
use crate::gateway::checksum::{algorithm_by_name, algorithm_name, default_type, is_allowed, type_name};
use crate::gateway::metadata::from_input;
use crate::gateway::put::{mode, new_sealer, now};
use crate::gateway::refuse::{refusable, refuse_unsupported};
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::seal::{ChecksumAlgorithm, ChecksumType};
use crate::state::Upload;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{CreateMultipartUploadInput, CreateMultipartUploadOutput, ServerSideEncryption};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn create_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let input = &req.input;
    refuse_unsupported(&refusable!(input))?;
    let checksum = checksum(input)?;
    let metadata = from_input!(input);
    metadata.check()?;
    let plan = gateway.rules.plan(&at.bucket, &at.key);
    let sealer = new_sealer(gateway, &plan)?;
    let entropy = gateway.entropy.as_ref();
    let metadata = metadata.seal(&sealer, entropy)?;
    let mut id = [0u8; 32];
    entropy.fill(&mut id).map_err(GatewayError::from)?;
    let header = metadata.as_ref().map(|sealed| sealed.value.as_str());
    let sites = gateway.tee.create_multipart(&at, header, mode(&plan)).await.map_err(GatewayError::from)?;
    let upload = Upload {
        id: URL_SAFE_NO_PAD.encode(id),
        bucket: at.bucket.clone(),
        key: at.key.clone(),
        wrapped: sealer.to_wrapped(),
        sites: sites.iter().map(|(site, upload)| (site.to_string(), upload.clone())).collect(),
        metadata_tag: metadata.map(|sealed| sealed.tag),
        checksum_algorithm: checksum.map_or("", |(algorithm, _)| algorithm_name(algorithm)).to_owned(),
        checksum_type: checksum.map_or("", |(_, kind)| type_name(kind)).to_owned(),
        initiator: permit.principal().access_key_id.to_string(),
        created_at: i64::try_from(now()).unwrap_or(0),
        extra: String::new(),
    };
    if let Err(error) = gateway.state.create_upload(&upload).await {
        // Without the row nobody could ever use or end these uploads.
        let _ = gateway.tee.abort_multipart(&at, &sites).await;
        return Err(GatewayError::from(error).into());
    }
    request::note(request::context(&req).as_ref(), |facts| {
        facts.rule = Some(plan.rule.to_string());
        facts.vault_key = Some(sealer.key_ref().id.as_str().to_owned());
        facts.vault_key_version = Some(sealer.key_ref().version);
    });
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(at.bucket.to_string()),
        key: Some(at.key.to_string()),
        upload_id: Some(upload.id),
        checksum_algorithm: checksum.map(|(algorithm, _)| algorithm_name(algorithm).to_owned().into()),
        checksum_type: checksum.map(|(_, kind)| type_name(kind).to_owned().into()),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        ..CreateMultipartUploadOutput::default()
    }))
}

/// What the client wants kept for the parts and the whole.
fn checksum(input: &CreateMultipartUploadInput) -> S3Result<Option<(ChecksumAlgorithm, ChecksumType)>> {
    let invalid = |message: &str| Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message.to_owned()));
    let Some(name) = &input.checksum_algorithm else {
        return match input.checksum_type {
            None => Ok(None),
            Some(_) => {
                invalid("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
            }
        };
    };
    let algorithm = algorithm_by_name(name.as_str())?;
    let kind = match input.checksum_type.as_ref().map(|kind| kind.as_str()) {
        None => default_type(algorithm),
        Some("COMPOSITE") => ChecksumType::Composite,
        Some("FULL_OBJECT") => ChecksumType::FullObject,
        Some(_) => return invalid("Value for x-amz-checksum-type header is invalid."),
    };
    if is_allowed(algorithm, kind) {
        return Ok(Some((algorithm, kind)));
    }
    let name = algorithm_name(algorithm).to_ascii_lowercase();
    invalid(&format!("The {} checksum type cannot be used with the {name} checksum algorithm.", type_name(kind)))
}
