//! Computing checksums over a stream, over parts, and combining those that can be combined.
use crate::gateway::md5::{Md5Pool, PooledMd5};
use crate::s3::PlainLen;
use crate::seal::{ChecksumAlgorithm, ChecksumValue};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use s3s::{S3Error, S3Result};

/// Bodies up to this long are hashed where they are: handing them over costs more.
const INLINE: u64 = 96 * 1024;

/// MD5 and one more checksum over one body.
pub(in crate::gateway) struct Hasher {
    md5: Md5,
    extra: Option<Extra>,
}

enum Md5 {
    Inline(md5::Md5),
    Pooled(Box<PooledMd5>),
}

enum Extra {
    Crc(ChecksumAlgorithm, Box<crc_fast::Digest>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
}

// === impl Hasher ===

impl Hasher {
    /// For a body of `length` bytes.
    pub(in crate::gateway) fn new(pool: &Md5Pool, length: PlainLen, algorithm: Option<ChecksumAlgorithm>) -> Self {
        let md5 = if length.0 <= INLINE { Md5::Inline(md5::Md5::new()) } else { Md5::Pooled(Box::new(pool.hasher())) };
        Self { md5, extra: algorithm.map(Extra::new) }
    }

    /// Takes the next bytes.
    pub(in crate::gateway) async fn update(&mut self, bytes: &Bytes) -> S3Result<()> {
        if let Some(extra) = &mut self.extra {
            extra.update(bytes);
        }
        match &mut self.md5 {
            Md5::Inline(md5) => md5.update(bytes),
            Md5::Pooled(md5) => md5.update(bytes.clone()).await.map_err(S3Error::internal_error)?,
        }
        Ok(())
    }

    /// MD5, and the other checksum if one was asked for.
    pub(in crate::gateway) async fn finish(self) -> S3Result<([u8; 16], Option<ChecksumValue>)> {
        let md5 = match self.md5 {
            Md5::Inline(md5) => md5.finalize().into(),
            Md5::Pooled(md5) => md5.finish().await.map_err(S3Error::internal_error)?,
        };
        Ok((md5, self.extra.and_then(Extra::finish)))
    }
}

// === impl Extra ===

impl Extra {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match (algorithm, crc(algorithm)) {
            (_, Some(crc)) => Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc))),
            (ChecksumAlgorithm::Sha1, None) => Self::Sha1(sha1::Sha1::new()),
            (_, None) => Self::Sha256(sha2::Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> Option<ChecksumValue> {
        match self {
            Self::Crc(algorithm, digest) => crc_value(algorithm, digest.finalize()),
            Self::Sha1(digest) => ChecksumValue::new(ChecksumAlgorithm::Sha1, &digest.finalize()),
            Self::Sha256(digest) => ChecksumValue::new(ChecksumAlgorithm::Sha256, &digest.finalize()),
        }
    }
}

/// A composite checksum: the algorithm over the parts' raw values.
pub(in crate::gateway) fn over_parts(algorithm: ChecksumAlgorithm, parts: &[ChecksumValue]) -> Option<ChecksumValue> {
    let mut extra = Extra::new(algorithm);
    parts.iter().for_each(|part| extra.update(part.value()));
    extra.finish()
}

/// The CRC of a whole object from the CRCs of its parts and their lengths; `None` where the algorithm does not combine.
pub(in crate::gateway) fn combine(
    algorithm: ChecksumAlgorithm,
    parts: &[(ChecksumValue, PlainLen)],
) -> Option<ChecksumValue> {
    let crc = crc(algorithm)?;
    let number = |value: &ChecksumValue| value.value().iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let ((first, _), rest) = parts.split_first()?;
    let combined = rest
        .iter()
        .fold(number(first), |sum, (part, length)| crc_fast::checksum_combine(crc, sum, number(part), length.0));
    crc_value(algorithm, combined)
}

fn crc(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

fn crc_value(algorithm: ChecksumAlgorithm, crc: u64) -> Option<ChecksumValue> {
    ChecksumValue::new(algorithm, &crc.to_be_bytes()[8 - algorithm.length()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::checksum::encode;

    /// The check values of the CRC catalogue and of FIPS 180, over "123456789".
    #[tokio::test]
    async fn every_algorithm_gives_its_published_check_value() {
        let pool = Md5Pool::start(1).expect("a thread");
        let cases = [
            (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
            (ChecksumAlgorithm::Crc32c, "4waSgw=="),
            (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ];
        for (algorithm, expected) in cases {
            let mut hasher = Hasher::new(&pool, PlainLen(9), Some(algorithm));
            hasher.update(&Bytes::from_static(b"123456789")).await.expect("hashed");
            let (md5, value) = hasher.finish().await.expect("hashed");
            assert_eq!(hex::encode(md5), "25f9e794323b453885f5181f1b624d0b");
            assert_eq!(value.map(|value| encode(&value)).as_deref(), Some(expected), "{algorithm:?}");
        }
    }

    #[test]
    fn the_crcs_of_parts_combine_to_the_crc_of_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|i| (i * 7) as u8).collect();
        for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme] {
            let value = |bytes: &[u8]| {
                let mut extra = Extra::new(algorithm);
                extra.update(bytes);
                extra.finish().expect("a value")
            };
            let parts: Vec<_> = data.chunks(30_001).map(|part| (value(part), PlainLen(part.len() as u64))).collect();
            assert_eq!(combine(algorithm, &parts), Some(value(&data)), "{algorithm:?}");
        }
        let sha = ChecksumValue::new(ChecksumAlgorithm::Sha256, &[0; 32]).expect("a value");
        assert_eq!(combine(ChecksumAlgorithm::Sha256, &[(sha, PlainLen(1))]), None);
    }
}
