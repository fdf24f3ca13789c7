//! What Complete makes of the parts that were asked for: the index, the object's ETag and checksum. PURE.
use super::asked::{Asked, AskedPart, invalid_part};
use crate::gateway::checksum::{algorithm_name, combine, matches, object_text, over_parts};
use crate::gateway::multipart::session::Session;
use crate::gateway::multipart::staging::is_staged;
use crate::gateway::respond::GatewayError;
use crate::s3::{PlainETag, PlainLen};
use crate::seal::{ChecksumAlgorithm, ChecksumType, ChecksumValue, ContentInfo, PartEntry, sealed_len};
use crate::state::Part;
use md5::{Digest as _, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::collections::BTreeMap;

/// An object about to be.
pub(super) struct Plan {
    /// The parts asked for, in order; never empty.
    pub(super) parts: Vec<Part>,
    pub(super) entries: Vec<PartEntry>,
    pub(super) content: ContentInfo,
    pub(super) length: PlainLen,
    /// The backend part that ends in the footer.
    pub(super) footer_number: u16,
}

// === impl Plan ===

impl Plan {
    /// Checks what was asked for against what was uploaded.
    pub(super) fn new(
        asked: &Asked,
        session: &Session,
        uploaded: Vec<Part>,
        written_at: u64,
    ) -> Result<Self, GatewayError> {
        let last_uploaded = uploaded.last().map_or(0, |part| part.part_number);
        let mut uploaded: BTreeMap<u16, Part> = uploaded.into_iter().map(|part| (part.part_number, part)).collect();
        let (mut parts, mut entries) = (Vec::new(), Vec::new());
        for wanted in &asked.parts {
            let part = uploaded.remove(&wanted.number).ok_or_else(invalid_part)?;
            let entry = session.sealer.open_part_record(wanted.number, &part.record)?;
            wanted.check(&entry)?;
            parts.push(part);
            entries.push(entry);
        }
        let last = parts.last().ok_or_else(invalid_part)?;
        let footer_number = match last.staged_key {
            // With the part itself.
            Some(_) => last.part_number,
            // Behind all others, also those not asked for: should this Complete fail, they are still what they were.
            None => last_uploaded + 1,
        };
        let length = length(&entries, asked.object_size)?;
        let content = ContentInfo {
            md5: md5_of(&entries),
            multipart: true,
            checksum: checksum(session, &entries)?,
            written_at,
            metadata_tag: session.upload.metadata_tag,
        };
        let plan = Self { parts, entries, content, length, footer_number };
        plan.check_checksum(asked)?;
        Ok(plan)
    }

    pub(super) fn etag(&self) -> PlainETag {
        self.content.etag(self.entries.len() as u32)
    }

    /// The checksum as S3 writes it.
    pub(super) fn checksum(&self) -> Option<(ChecksumAlgorithm, String, ChecksumType)> {
        let (value, kind) = self.content.checksum.as_ref()?;
        Some((value.algorithm, object_text(value, *kind, self.entries.len() as u32), *kind))
    }

    /// The client's own idea of the object's checksum, where it sent one.
    fn check_checksum(&self, asked: &Asked) -> S3Result<()> {
        let own = self.checksum();
        if let Some(kind) = asked.checksum_type
            && own.as_ref().is_none_or(|(_, _, own)| *own != kind)
        {
            let message = "The checksum type does not match the one the upload was created with.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let Some((algorithm, text)) = &asked.checksum else { return Ok(()) };
        let lower = |algorithm: ChecksumAlgorithm| algorithm_name(algorithm).to_ascii_lowercase();
        match own {
            Some((own, expected, _)) if own == *algorithm => {
                // Clients write a composite value with and without the number of parts.
                if expected == *text || expected.split_once('-').is_some_and(|(value, _)| value == text) {
                    return Ok(());
                }
                let message =
                    format!("The {} you specified did not match the calculated checksum.", algorithm_name(own));
                Err(S3Error::with_message(S3ErrorCode::BadDigest, message))
            }
            own => {
                let message = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                    own.map_or("null".to_owned(), |(own, _, _)| lower(own)),
                    lower(*algorithm)
                );
                Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
            }
        }
    }
}

// === impl AskedPart ===

impl AskedPart {
    fn check(&self, entry: &PartEntry) -> S3Result<()> {
        let same_checksum = |(algorithm, text): &(ChecksumAlgorithm, String)| {
            entry.checksum.as_ref().is_some_and(|value| value.algorithm == *algorithm && matches(value, text))
        };
        let same = self.etag.eq_ignore_ascii_case(PlainETag::from_md5(entry.md5).as_str());
        if same && self.checksums.iter().all(same_checksum) { Ok(()) } else { Err(invalid_part()) }
    }
}

fn length(entries: &[PartEntry], declared: Option<i64>) -> Result<PlainLen, GatewayError> {
    let (_, all_but_last) = entries.split_last().ok_or_else(invalid_part)?;
    if all_but_last.iter().any(|entry| is_staged(entry.plain_len)) {
        return Err(S3Error::new(S3ErrorCode::EntityTooSmall).into());
    }
    let length = entries.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.plain_len.0));
    if declared.is_some_and(|declared| u64::try_from(declared) != Ok(length)) {
        let message = format!(
            "The provided 'x-amz-mp-object-size' header value {} does not match what was computed: {length}",
            declared.unwrap_or_default()
        );
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message).into());
    }
    sealed_len(PlainLen(length))?;
    Ok(PlainLen(length))
}

fn md5_of(entries: &[PartEntry]) -> [u8; 16] {
    let mut md5 = Md5::new();
    entries.iter().for_each(|entry| md5.update(entry.md5));
    md5.finalize().into()
}

/// The object's checksum from its parts'. Every part has one: the upload's algorithm was computed for each.
fn checksum(session: &Session, entries: &[PartEntry]) -> Result<Option<(ChecksumValue, ChecksumType)>, GatewayError> {
    let Some((algorithm, kind)) = session.checksum else { return Ok(None) };
    let of = |entry: &PartEntry| entry.checksum.filter(|value| value.algorithm == algorithm);
    let parts: Option<Vec<_>> = entries.iter().map(|entry| Some((of(entry)?, entry.plain_len))).collect();
    let value = parts.and_then(|parts| match kind {
        ChecksumType::FullObject => combine(algorithm, &parts),
        ChecksumType::Composite => {
            over_parts(algorithm, &parts.into_iter().map(|(value, _)| value).collect::<Vec<_>>())
        }
    });
    let value = value.ok_or_else(|| S3Error::new(S3ErrorCode::InternalError))?;
    Ok(Some((value, kind)))
}
