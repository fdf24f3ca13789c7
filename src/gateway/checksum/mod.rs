//! Client checksums: what was declared, what was computed, whether they agree.
//!
//! `s3s` verifies `x-amz-content-sha256` and chunk signatures while it streams, and nothing else: `Content-MD5`, `x-amz-checksum-*` and trailers
//! are compared here, on the plaintext, before the object becomes visible.
mod declared;
mod hasher;

pub(super) use declared::{Declared, algorithm_by_name, algorithm_name, encode};
pub(super) use hasher::{Hasher, combine, over_parts};

use crate::seal::{ChecksumAlgorithm, ChecksumType, ChecksumValue};

/// Sets the checksum fields of any `s3s` output from an object's or part's checksum; `text` where it is not just the value in base64.
macro_rules! set_checksum {
    ($output:expr, $value:expr) => {{
        let value: Option<&$crate::seal::ChecksumValue> = $value;
        if let Some(value) = value {
            $crate::gateway::checksum::set_checksum!(
                $output,
                value.algorithm,
                $crate::gateway::checksum::encode(value)
            );
        }
    }};
    ($output:expr, $algorithm:expr, $text:expr) => {{
        let text = Some($text);
        match $algorithm {
            $crate::seal::ChecksumAlgorithm::Crc32 => $output.checksum_crc32 = text,
            $crate::seal::ChecksumAlgorithm::Crc32c => $output.checksum_crc32c = text,
            $crate::seal::ChecksumAlgorithm::Crc64Nvme => $output.checksum_crc64nvme = text,
            $crate::seal::ChecksumAlgorithm::Sha1 => $output.checksum_sha1 = text,
            $crate::seal::ChecksumAlgorithm::Sha256 => $output.checksum_sha256 = text,
        }
    }};
}
pub(super) use set_checksum;

/// An object's checksum as S3 writes it: a composite one names how many parts it is over.
pub(super) fn object_text(value: &ChecksumValue, kind: ChecksumType, parts: u32) -> String {
    match kind {
        ChecksumType::FullObject => encode(value),
        ChecksumType::Composite => format!("{}-{parts}", encode(value)),
    }
}

/// S3's name of a checksum's type.
pub(super) fn type_name(kind: ChecksumType) -> &'static str {
    match kind {
        ChecksumType::FullObject => "FULL_OBJECT",
        ChecksumType::Composite => "COMPOSITE",
    }
}

/// The type a multipart upload gets when the client names none
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).
pub(super) fn default_type(algorithm: ChecksumAlgorithm) -> ChecksumType {
    match algorithm {
        ChecksumAlgorithm::Crc64Nvme => ChecksumType::FullObject,
        _ => ChecksumType::Composite,
    }
}

/// Whether S3 allows this combination: SHA sums cannot be combined, CRC64NVME is never composite.
pub(super) fn is_allowed(algorithm: ChecksumAlgorithm, kind: ChecksumType) -> bool {
    match algorithm {
        ChecksumAlgorithm::Crc64Nvme => kind == ChecksumType::FullObject,
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => kind == ChecksumType::Composite,
        _ => true,
    }
}

/// The checksum of a part as a client names it, for comparison with what was stored.
pub(super) fn part_checksum(part: &s3s::dto::CompletedPart) -> [(ChecksumAlgorithm, Option<&String>); 5] {
    [
        (ChecksumAlgorithm::Crc32, part.checksum_crc32.as_ref()),
        (ChecksumAlgorithm::Crc32c, part.checksum_crc32c.as_ref()),
        (ChecksumAlgorithm::Crc64Nvme, part.checksum_crc64nvme.as_ref()),
        (ChecksumAlgorithm::Sha1, part.checksum_sha1.as_ref()),
        (ChecksumAlgorithm::Sha256, part.checksum_sha256.as_ref()),
    ]
}

/// True when `text` is the base64 of `value`.
pub(super) fn matches(value: &ChecksumValue, text: &str) -> bool {
    encode(value) == text
}
