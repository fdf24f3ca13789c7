//! What is remembered of each part and of the whole: types and their byte layouts.
//!
//! An index entry, 84 bytes, big-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | plain length |
//! | 8 | 24 | the message's salt |
//! | 32 | 16 | MD5 of the part's plaintext |
//! | 48 | 2 | the client's part number, 1-10000 |
//! | 50 | 1 | checksum algorithm (0 none, 1 CRC32, 2 CRC32C, 3 CRC64NVME, 4 SHA1, 5 SHA256) |
//! | 51 | 1 | zero |
//! | 52 | 32 | checksum value, left-aligned, zero-filled |
use super::error::SealError;
use super::length::ENTRY;
use crate::s3::{PlainETag, PlainLen};

/// A client checksum's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A checksum's raw value (4, 4, 8, 20 or 32 bytes by algorithm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumValue {
    /// Which algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value, left-aligned; the algorithm says how many bytes count. The rest is zero.
    pub bytes: [u8; 32],
}

/// How an object's checksum came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// Over the whole object.
    FullObject,
    /// Over the parts' checksums.
    Composite,
}

/// One part, as the index keeps it (84 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartEntry {
    /// The client's part number (1 for a plain PUT).
    pub part_number: u16,
    /// Plain bytes.
    pub plain_len: PlainLen,
    /// The message's salt.
    pub salt: [u8; 24],
    /// MD5 of the part's plaintext.
    pub md5: [u8; 16],
    /// The part's own checksum, where one was asked for.
    pub checksum: Option<ChecksumValue>,
}

/// What the trailer keeps encrypted about the whole object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentInfo {
    /// MD5 of the plaintext, or of the parts' MD5s when `multipart`.
    pub md5: [u8; 16],
    /// True when the ETag is `md5-N` (any multipart upload, one part included).
    pub multipart: bool,
    /// The object's checksum.
    pub checksum: Option<(ChecksumValue, ChecksumType)>,
    /// When it was written, seconds since the Unix epoch.
    pub written_at: u64,
    /// `SealedMetadata::tag` of its metadata, where it has any: an older or foreign metadata value is noticed.
    pub metadata_tag: Option<[u8; 16]>,
}

// === impl ChecksumAlgorithm ===

impl ChecksumAlgorithm {
    /// Bytes of a value.
    pub const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Crc32 => 1,
            Self::Crc32c => 2,
            Self::Crc64Nvme => 3,
            Self::Sha1 => 4,
            Self::Sha256 => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Crc32),
            2 => Some(Self::Crc32c),
            3 => Some(Self::Crc64Nvme),
            4 => Some(Self::Sha1),
            5 => Some(Self::Sha256),
            _ => None,
        }
    }
}

// === impl ChecksumValue ===

impl ChecksumValue {
    /// From the raw value; `None` when its length is not the algorithm's.
    pub fn new(algorithm: ChecksumAlgorithm, value: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        (value.len() == algorithm.length()).then(|| bytes[..value.len()].copy_from_slice(value))?;
        Some(Self { algorithm, bytes })
    }

    /// The bytes that count.
    pub fn value(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }

    /// One byte of algorithm (0: none) and 32 of value.
    pub(super) fn encode(value: Option<&Self>) -> (u8, [u8; 32]) {
        value.map_or((0, [0; 32]), |v| (v.algorithm.code(), v.bytes))
    }

    pub(super) fn decode(code: u8, bytes: [u8; 32]) -> Result<Option<Self>, SealError> {
        let algorithm = match code {
            0 => None,
            code => Some(ChecksumAlgorithm::from_code(code).ok_or(SealError::Unsupported("checksum algorithm"))?),
        };
        let used = algorithm.map_or(0, ChecksumAlgorithm::length);
        if bytes[used..].iter().any(|b| *b != 0) {
            return Err(SealError::Malformed("a checksum is longer than its algorithm"));
        }
        Ok(algorithm.map(|algorithm| Self { algorithm, bytes }))
    }
}

// === impl PartEntry ===

impl PartEntry {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (code, value) = ChecksumValue::encode(self.checksum.as_ref());
        out.extend_from_slice(&self.plain_len.0.to_be_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.md5);
        out.extend_from_slice(&self.part_number.to_be_bytes());
        out.extend_from_slice(&[code, 0]);
        out.extend_from_slice(&value);
    }

    pub(super) fn decode(bytes: &[u8; ENTRY as usize]) -> Result<Self, SealError> {
        let mut fields = Fields(bytes);
        Ok(Self {
            plain_len: PlainLen(u64::from_be_bytes(fields.take()?)),
            salt: fields.take()?,
            md5: fields.take()?,
            part_number: part_number(fields.take()?)?,
            checksum: {
                let [code, zero] = fields.take()?;
                if zero != 0 {
                    return Err(SealError::Malformed("a reserved byte is not zero"));
                }
                ChecksumValue::decode(code, fields.take()?)?
            },
        })
    }
}

// === impl ContentInfo ===

impl ContentInfo {
    /// The ETag a client sees.
    pub fn etag(&self, parts: u32) -> PlainETag {
        if self.multipart { PlainETag::from_part_md5s(self.md5, parts) } else { PlainETag::from_md5(self.md5) }
    }
}

/// A part number from 1 to 10,000.
pub(super) fn part_number(bytes: [u8; 2]) -> Result<u16, SealError> {
    let number = u16::from_be_bytes(bytes);
    if (1..=10_000).contains(&number) { Ok(number) } else { Err(SealError::Malformed("part number")) }
}

/// Takes fixed-size fields off a slice, in order.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], SealError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(SealError::Malformed("too short"))?;
        self.0 = rest;
        Ok(*field)
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], SealError> {
        let (field, rest) = self.0.split_at_checked(length).ok_or(SealError::Malformed("too short"))?;
        self.0 = rest;
        Ok(field)
    }
}
