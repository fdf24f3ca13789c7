//! CreateMultipartUpload: the object's key is made here; every part is sealed with it.
use super::session::{Extra, checksum_type};
use crate::gateway::Gateway;
use crate::gateway::checksum::{algorithm_by_name, algorithm_name, default_type, is_allowed, type_name};
use crate::gateway::customer::Brought;
use crate::gateway::metadata::{UserMetadata, from_input};
use crate::gateway::put::{headers, mode, new_sealer, plan_of, seal_metadata};
use crate::gateway::refuse::{kept, refusable, refuse_unsupported};
use crate::gateway::request;
use crate::gateway::respond::GatewayError;
use crate::gateway::terms;
use crate::seal::{ChecksumAlgorithm, ChecksumType};
use crate::state::Upload;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{CreateMultipartUploadInput, CreateMultipartUploadOutput};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use std::sync::Arc;

pub(in crate::gateway) async fn create_multipart_upload(
    gateway: &Arc<Gateway>,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let permit = request::permit(&req)?;
    let at = request::object_of(&permit)?;
    let input = &req.input;
    let context = request::context(&req);
    let encryption = refuse_unsupported(refusable!(input, Brought::of(&req.headers, context.as_ref())?))?;
    let kept = kept(&req.headers)?;
    let checksum = checksum(input)?;
    let metadata = UserMetadata { kms: encryption.is_kms(), ..from_input!(input) };

    let plan = plan_of(gateway, &at, &metadata, &kept, &encryption);
    terms::check_type(&plan, &metadata)?;
    let sealer = new_sealer(gateway, &plan, &encryption, &permit.principal().name).await?;
    let sealed = seal_metadata(gateway, &metadata, &sealer)?;
    let headers = headers(&plan, &metadata, sealed.as_ref(), kept);
    let acting = gateway.tee.acting(&at, true, mode(&plan)).await;
    let tee = acting.map_err(GatewayError::from)?;
    let sites = tee.create_multipart(&at, &headers, mode(&plan)).await.map_err(GatewayError::from)?;
    let upload = Upload {
        id: upload_id(gateway)?,
        bucket: at.bucket.clone(),
        key: at.key.clone(),
        wrapped: sealer.to_wrapped(),
        sites: sites.iter().map(|(site, upload)| (site.to_string(), upload.clone())).collect(),
        metadata_tag: sealed.map(|sealed| sealed.tag),
        checksum_algorithm: checksum.map_or("", |(algorithm, _)| algorithm_name(algorithm)).to_owned(),
        checksum_type: checksum.map_or("", |(_, kind)| type_name(kind)).to_owned(),
        initiator: permit.principal().access_key_id.to_string(),
        created_at: crate::clock::now().unix_timestamp(),
        extra: serde_json::to_string(&Extra::of(&plan, &encryption, input.storage_class.as_ref()))
            .map_err(S3Error::internal_error)?,
    };
    if let Err(error) = gateway.state.create_upload(&upload).await {
        // Nobody will ever name these: they would lie at the sites for good.
        let _ = tee.abort_multipart(&at, &sites).await;
        return Err(GatewayError::from(error).into());
    }
    request::note(context.as_ref(), |facts| {
        facts.rule = Some(plan.rule.to_string());
        facts.vault_key = Some(sealer.key_ref().id.as_str().to_owned());
        facts.vault_key_version = Some(sealer.key_ref().version);
        facts.sites_written = sites.iter().map(|(site, _)| site.to_string()).collect();
    });
    let told = encryption.told(gateway, &sealer.key_ref().id);
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(at.bucket.as_str().to_owned()),
        key: Some(at.key.as_str().to_owned()),
        upload_id: Some(upload.id),
        checksum_algorithm: checksum.map(|(algorithm, _)| algorithm_name(algorithm).to_owned().into()),
        checksum_type: checksum.map(|(_, kind)| type_name(kind).to_owned().into()),
        server_side_encryption: told.encryption,
        ssekms_key_id: told.key_id,
        sse_customer_algorithm: told.customer_algorithm,
        sse_customer_key_md5: told.customer_md5,
        ..CreateMultipartUploadOutput::default()
    }))
}

/// 256 random bits: it cannot be guessed.
fn upload_id(gateway: &Gateway) -> Result<String, GatewayError> {
    let mut id = [0; 32];
    gateway.entropy.fill(&mut id)?;
    Ok(URL_SAFE_NO_PAD.encode(id))
}

/// Whether it has the form of one.
pub(super) fn is_upload_id(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|id| id.len() == 32)
}

/// The checksum that the object is to have.
fn checksum(input: &CreateMultipartUploadInput) -> S3Result<Option<(ChecksumAlgorithm, ChecksumType)>> {
    let kind = input.checksum_type.as_ref().map(|kind| checksum_type(kind.as_str())).transpose()?;
    let Some(algorithm) = &input.checksum_algorithm else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let algorithm = algorithm_by_name(algorithm.as_str())?;
    let kind = kind.unwrap_or_else(|| default_type(algorithm));
    if !is_allowed(algorithm, kind) {
        let (kind, algorithm) = (type_name(kind), algorithm_name(algorithm).to_ascii_lowercase());
        return Err(invalid(&format!(
            "The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )));
    }
    Ok(Some((algorithm, kind)))
}

fn invalid(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, message.to_owned())
}
