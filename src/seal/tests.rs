//! The format as a whole: what round-trips, and what must never open.
use super::*;
use crate::s3::{BucketName, ObjectKey, PlainLen, PlainSpan, SealedLen};
use crate::secret::SecretBytes;
use bytes::{Bytes, BytesMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// Different bytes every time, the same in every run.
pub(super) struct Counter(pub(super) AtomicU64);

impl Entropy for Counter {
    fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
        for piece in out.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635;
            piece.copy_from_slice(&n.to_be_bytes()[..piece.len()]);
        }
        Ok(())
    }
}

fn vault(seed: u8) -> VaultKey {
    let reference = VaultKeyRef { id: VaultKeyId::parse("default").expect("a name"), version: 1 };
    VaultKey::new(reference, SecretBytes::new([seed; 32])).expect("a key")
}

struct Fixture {
    bucket: BucketName,
    key: ObjectKey,
    entropy: Counter,
}

impl Fixture {
    fn new() -> Self {
        let bucket = BucketName::parse("ledgers").expect("a bucket");
        Self {
            bucket,
            key: ObjectKey::parse("clients/4711/a.pdf").expect("a key"),
            entropy: Counter(AtomicU64::new(1)),
        }
    }

    fn name(&self) -> ObjectName<'_> {
        ObjectName { bucket: &self.bucket, key: &self.key }
    }

    fn seal(&self, parts: &[&[u8]]) -> Vec<u8> {
        let sealer = ObjectSealer::generate(&vault(7), &self.entropy).expect("sealer");
        let mut out = BytesMut::new();
        let mut entries = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let mut message = sealer.message(&self.entropy).expect("message");
            for piece in part.chunks(40_000) {
                message.update(piece, &mut out).expect("update");
            }
            let done = message.finish(&mut out).expect("finish");
            let entry = PartEntry {
                part_number: at as u16 + 1,
                plain_len: done.plain_len,
                salt: done.salt,
                md5: [3; 16],
                checksum: None,
            };
            entries.push(entry);
        }
        let content = ContentInfo {
            md5: [9; 16],
            multipart: parts.len() > 1,
            checksum: None,
            written_at: 1_700_000_000,
            metadata_tag: None,
        };
        out.extend_from_slice(&sealer.footer(&self.name(), &entries, &content, &self.entropy).expect("footer"));
        out.to_vec()
    }

    fn open(&self, sealed: &[u8], vault: &VaultKey, span: Option<(u64, u64)>) -> Result<Vec<u8>, SealError> {
        let trailer = Trailer::parse(sealed, SealedLen(sealed.len() as u64))?;
        let object = trailer.open(vault, &self.name())?;
        let (start, length) = object.footer_span();
        object.check_footer(&sealed[start as usize..][..length as usize])?;
        let layout = match object.index_span() {
            None => object.layout_single()?,
            Some((start, length)) => object.layout_from_index(&sealed[start as usize..][..length as usize])?,
        };
        let total = object.plain_len();
        let span = span.map_or(PlainSpan::whole(total), |(start, end)| PlainSpan { start, end, total });
        let mut reader = object.reader(&layout, span)?;
        let (start, length) = reader.sealed_span();
        let mut out = BytesMut::new();
        for piece in sealed[start as usize..][..length as usize].chunks(10_007) {
            reader.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        reader.finish()?;
        Ok(out.to_vec())
    }
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(31) ^ (i >> 8)) as u8).collect()
}

#[test]
fn every_length_around_a_chunk_border_comes_back_and_is_canonical() {
    let fixture = Fixture::new();
    for length in [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 100_000] {
        let plain = sample(length);
        let sealed = fixture.seal(&[&plain]);
        assert_eq!(sealed_len(PlainLen(length as u64)), Ok(SealedLen(sealed.len() as u64)));
        assert_eq!(fixture.open(&sealed, &vault(7), None), Ok(plain));
    }
}

#[test]
fn every_range_of_a_small_object_comes_back() {
    let fixture = Fixture::new();
    let plain = sample(50_000);
    let sealed = fixture.seal(&[&plain]);
    for start in [0, 1, 16_383, 16_384, 16_385, 32_768, 49_999] {
        for end in [1, 16_384, 16_385, 32_768, 49_152, 49_999, 50_000u64] {
            if start < end {
                let expected = plain[start as usize..end as usize].to_vec();
                assert_eq!(fixture.open(&sealed, &vault(7), Some((start, end))), Ok(expected), "{start}..{end}");
            }
        }
    }
}

#[test]
fn parts_of_any_size_come_back_in_order() {
    let fixture = Fixture::new();
    let (a, b, c) = (sample(MIN_PART as usize), sample(MIN_PART as usize + 777), sample(5));
    let sealed = fixture.seal(&[&a, &b, &c]);
    let all = [a.clone(), b.clone(), c.clone()].concat();
    assert_eq!(sealed_len(PlainLen(all.len() as u64)), Ok(SealedLen(sealed.len() as u64)));
    assert_eq!(fixture.open(&sealed, &vault(7), None).as_deref(), Ok(&all[..]));
    let border = MIN_PART;
    for (start, end) in
        [(border - 1, border + 1), (border, border + 1), (border - 20_000, 2 * border + 780), (0, border)]
    {
        let expected = &all[start as usize..end as usize];
        assert_eq!(fixture.open(&sealed, &vault(7), Some((start, end))).as_deref(), Ok(expected), "{start}..{end}");
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let fixture = Fixture::new();
    let sealed = fixture.seal(&[&sample(300)]);
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(fixture.open(&damaged, &vault(7), None).is_err(), "bit {bit}");
    }
}

#[test]
fn no_truncation_and_no_appended_byte_goes_unnoticed() {
    let fixture = Fixture::new();
    let sealed = fixture.seal(&[&sample(300)]);
    for length in 0..sealed.len() {
        assert!(fixture.open(&sealed[..length], &vault(7), None).is_err(), "{length}");
    }
    assert!(fixture.open(&[&sealed[..], &[0]].concat(), &vault(7), None).is_err());
}

#[test]
fn another_key_or_name_opens_nothing() {
    let fixture = Fixture::new();
    let sealed = fixture.seal(&[b"secret"]);
    assert!(matches!(fixture.open(&sealed, &vault(8), None), Err(SealError::Authentication(_))));
    let other = Fixture { key: ObjectKey::parse("clients/4712/a.pdf").expect("a key"), ..Fixture::new() };
    assert!(matches!(other.open(&sealed, &vault(7), None), Err(SealError::Authentication(_))));
}

#[test]
fn zero_keys_are_refused() {
    let reference = VaultKeyRef { id: VaultKeyId::parse("k").expect("a name"), version: 1 };
    assert!(matches!(VaultKey::new(reference, SecretBytes::new([0; 32])), Err(SealError::BadKey(_))));
    assert!(matches!(
        seal_blob(&SecretBytes::new([0; 32]), "x", b"y", &Fixture::new().entropy),
        Err(SealError::BadKey(_))
    ));
}
