//! What a client asks of Complete, checked as far as it can be without looking at the upload. PURE.
use crate::gateway::checksum::{algorithm_by_name, part_checksum};
use crate::gateway::customer::Brought;
use crate::gateway::multipart::session::{MAX_PART_NUMBER, checksum_type};
use crate::seal::{ChecksumAlgorithm, ChecksumType};
use crate::site::Location;
use md5::{Digest as _, Md5};
use s3s::dto::{CompleteMultipartUploadInput, CompletedPart, ETag, ETagCondition};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// One Complete.
pub(super) struct Asked {
    pub(super) at: Location,
    pub(super) upload: String,
    /// Ascending, never empty.
    pub(super) parts: Vec<AskedPart>,
    /// The object's checksum as the client computed it, in S3's text form.
    pub(super) checksum: Option<(ChecksumAlgorithm, String)>,
    pub(super) checksum_type: Option<ChecksumType>,
    pub(super) object_size: Option<i64>,
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    /// The client's own key. Few clients bring it here, and it is not needed.
    pub(super) brought: Option<Brought>,
}

/// One part as the client names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AskedPart {
    pub(super) number: u16,
    /// Without quotes.
    pub(super) etag: String,
    pub(super) checksums: Vec<(ChecksumAlgorithm, String)>,
}

// === impl Asked ===

impl Asked {
    pub(super) fn from_input(at: &Location, input: CompleteMultipartUploadInput) -> S3Result<Self> {
        let listed = input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_deref()).unwrap_or_default();
        let parts = listed.iter().map(AskedPart::parse).collect::<S3Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Err(S3Error::new(S3ErrorCode::MalformedXML));
        }
        if parts.windows(2).any(|two| two[0].number >= two[1].number) {
            let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidPartOrder, message));
        }
        Ok(Self {
            at: at.clone(),
            parts,
            checksum: checksum(&input)?,
            checksum_type: input.checksum_type.as_ref().map(|kind| checksum_type(kind.as_str())).transpose()?,
            object_size: input.mpu_object_size,
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            upload: input.upload_id,
            brought: None,
        })
    }

    /// Tells one list of parts from another.
    pub(super) fn digest(&self) -> [u8; 16] {
        let mut digest = Md5::new();
        for part in &self.parts {
            digest.update(part.number.to_be_bytes());
            digest.update(part.etag.as_bytes());
            digest.update([0]);
        }
        digest.finalize().into()
    }
}

// === impl AskedPart ===

impl AskedPart {
    fn parse(part: &CompletedPart) -> S3Result<Self> {
        let malformed = || S3Error::new(S3ErrorCode::MalformedXML);
        let number = part.part_number.ok_or_else(malformed)?;
        let number = u16::try_from(number).ok().filter(|number| (1..=MAX_PART_NUMBER).contains(number));
        let etag = part.e_tag.as_ref().ok_or_else(malformed)?;
        let checksums = part_checksum(part).into_iter();
        let checksums = checksums.filter_map(|(algorithm, text)| Some((algorithm, text?.clone())));
        Ok(Self {
            number: number.ok_or_else(invalid_part)?,
            etag: text_of(etag).trim_matches('"').to_owned(),
            checksums: checksums.collect(),
        })
    }
}

/// S3's words.
pub(super) fn invalid_part() -> S3Error {
    let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    S3Error::with_message(S3ErrorCode::InvalidPart, message)
}

fn text_of(etag: &ETag) -> &str {
    match etag {
        ETag::Strong(text) | ETag::Weak(text) => text,
    }
}

fn checksum(input: &CompleteMultipartUploadInput) -> S3Result<Option<(ChecksumAlgorithm, String)>> {
    let all = [
        ("CRC32", &input.checksum_crc32),
        ("CRC32C", &input.checksum_crc32c),
        ("CRC64NVME", &input.checksum_crc64nvme),
        ("SHA1", &input.checksum_sha1),
        ("SHA256", &input.checksum_sha256),
        ("MD5", &input.checksum_md5),
        ("SHA512", &input.checksum_sha512),
        ("XXHASH64", &input.checksum_xxhash64),
        ("XXHASH3", &input.checksum_xxhash3),
        ("XXHASH128", &input.checksum_xxhash128),
    ];
    let mut given = all.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    let Some((name, text)) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
    }
    Ok(Some((algorithm_by_name(name)?, text.clone())))
}
