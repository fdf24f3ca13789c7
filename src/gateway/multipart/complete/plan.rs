//! What Complete makes of the parts that were asked for: the index, the object's ETag and checksum. PURE.
use super::asked::{Asked, AskedPart, invalid_part};
use crate::gateway::checksum::{algorithm_name, combine, matches, object_text, over_parts, type_name};
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
            if let Some((algorithm, ChecksumType::Composite)) = session.checksum {
                wanted.must_name(algorithm)?;
            }
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
            let begun = own.as_ref().map_or("null", |(_, _, own)| type_name(*own));
            let message = format!(
                "The upload was created using the {begun} checksum mode. The complete request must use the same checksum mode."
            );
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

    /// What a checksum over the parts' checksums is made of, the client has to have seen.
    fn must_name(&self, algorithm: ChecksumAlgorithm) -> S3Result<()> {
        if self.checksums.iter().any(|(named, _)| *named == algorithm) {
            return Ok(());
        }
        let message = format!(
            "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {} in the request.",
            algorithm_name(algorithm).to_ascii_lowercase(),
            self.number
        );
        Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::terms::Limit;
    use crate::keys::OsEntropy;
    use crate::s3::{BucketName, ObjectKey};
    use crate::seal::{MIN_PART, ObjectName, ObjectSealer, Suite, VaultKey, VaultKeyId, VaultKeyRef};
    use crate::secret::SecretBytes;
    use crate::site::Location;
    use crate::site::tee::Mode;
    use crate::state::Upload;

    fn session(checksum: Option<(ChecksumAlgorithm, ChecksumType)>) -> Session {
        let reference = VaultKeyRef { id: VaultKeyId::parse("default").expect("a name"), version: 1 };
        let vault = VaultKey::new(reference, SecretBytes::new([7; 32])).expect("a key");
        let sealer = ObjectSealer::generate(Suite::default(), &vault, &OsEntropy).expect("a sealer");
        let bucket = BucketName::parse("bucket").expect("a name");
        let key = ObjectKey::parse("key").expect("a key");
        let upload = Upload {
            id: "upload".to_owned(),
            bucket: bucket.clone(),
            key: key.clone(),
            wrapped: sealer.to_wrapped(),
            sites: Vec::new(),
            metadata_tag: None,
            checksum_algorithm: String::new(),
            checksum_type: String::new(),
            initiator: String::new(),
            created_at: 0,
            extra: String::new(),
        };
        let encryption = crate::gateway::encryption::Encryption::Usual;
        let limit = Limit { rule: "default".to_owned(), most: None };
        Session { upload, at: Location { bucket, key }, mode: Mode::Tee, limit, encryption, sealer, checksum }
    }

    fn uploaded(session: &Session, number: u16, plain_len: PlainLen) -> (Part, AskedPart) {
        let checksum = ChecksumValue::new(ChecksumAlgorithm::Crc32, &u32::from(number).to_be_bytes());
        let md5 = [number as u8; 16];
        let entry = PartEntry { part_number: number, plain_len, salt: [1; 24], md5, checksum };
        let record = session.sealer.seal_part_record(number, &entry, &OsEntropy).expect("a record");
        let part = Part { part_number: number, record, plain_len, etags: Vec::new(), staged_key: None, written_at: 0 };
        (part, AskedPart { number, etag: hex::encode(md5), checksums: Vec::new() })
    }

    #[test]
    fn as_many_parts_as_there_may_be_make_one_object_and_leave_a_number_for_the_footer() {
        let session = session(Some((ChecksumAlgorithm::Crc32, ChecksumType::FullObject)));
        let part = |number| uploaded(&session, number, PlainLen(MIN_PART + u64::from(number % 3)));
        let (parts, asked): (Vec<_>, Vec<_>) = (1..=9_999).map(part).unzip();
        let asked = Asked {
            at: session.at.clone(),
            upload: "upload".to_owned(),
            parts: asked,
            checksum: None,
            checksum_type: Some(ChecksumType::FullObject),
            object_size: Some(9_999 * (MIN_PART as i64 + 1)),
            if_match: None,
            if_none_match: None,
            brought: None,
        };
        let plan = Plan::new(&asked, &session, parts, 0).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.footer_number, 10_000, "S3's last part number");
        assert!(plan.etag().as_str().ends_with("-9999"));
        assert_eq!(plan.length.0, 9_999 * (MIN_PART + 1));
        assert!(plan.checksum().is_some());
        let name = ObjectName { bucket: &session.at.bucket, key: &session.at.key };
        let footer = session.sealer.footer(&name, &plan.entries, &plan.content, &OsEntropy).expect("a footer");
        assert!(footer.len() > 9_999 * 84, "an index of every part");
    }
}
