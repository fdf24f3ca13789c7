//! A whole object from its first byte to its last: every chunk, the index, the padding and the trailer are accounted
//! for. What is read beside the proxy (files, tarballs, whole buckets) is read by this.
use super::customer::CustomerKey;
use super::error::SealError;
use super::length::TRAILER_LEN;
use super::object::OpenObject;
use super::reader::{Layout, SpanReader};
use crate::s3::PlainSpan;
use bytes::{Bytes, BytesMut};

/// Takes the bytes of a sealed object in order and gives out verified plaintext. No `Debug`: it holds keys.
pub struct WholeReader {
    /// `None`: its content needs a customer's key that is not there, and is passed over.
    body: Option<SpanReader>,
    layout: Layout,
    index: Bytes,
    trailer: Bytes,
    /// Bytes pushed so far.
    at: u64,
    /// Where the body ends, and the object.
    body_end: u64,
    end: u64,
}

// === impl WholeReader ===

impl WholeReader {
    /// `index`: the bytes of [`OpenObject::index_span`], empty when there is none. `trailer`: the last bytes, which
    /// `object` was opened from.
    ///
    /// # Errors
    /// `Authentication` when they are not this object's index; `CustomerKey` when its content needs one.
    pub fn new(object: &OpenObject, index: Bytes, trailer: Bytes) -> Result<Self, SealError> {
        Self::with_customer_key(None, object, index, trailer)
    }

    /// The same with the customer's key for the object.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_customer_key(
        brought: Option<&CustomerKey>,
        object: &OpenObject,
        index: Bytes,
        trailer: Bytes,
    ) -> Result<Self, SealError> {
        let mut whole = Self::frame(object, index, trailer)?;
        let span = PlainSpan::whole(object.plain_len());
        whole.body = Some(object.reader_with(brought, &whole.layout, span)?);
        Ok(whole)
    }

    /// Everything but the content: length, index, padding and trailer are held against what was sealed, and no plaintext comes out. For
    /// objects whose customer's key is not there.
    ///
    /// # Errors
    /// `Authentication` when they are not this object's index.
    pub fn frame(object: &OpenObject, index: Bytes, trailer: Bytes) -> Result<Self, SealError> {
        let layout = match object.index_span() {
            None => object.layout_single()?,
            Some(_) => object.layout_from_index(&index)?,
        };
        if trailer.len() as u64 != TRAILER_LEN {
            return Err(SealError::NotSealed("it is shorter than a trailer"));
        }
        let (body_end, _) = object.footer_span();
        Ok(Self { body: None, layout, index, trailer, at: 0, body_end, end: object.sealed_len().0 })
    }

    /// Where the parts lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Pushes the next sealed bytes, in any split; appends verified plaintext to `out`.
    ///
    /// # Errors
    /// As soon as a byte is not what was sealed; nothing of its chunk is appended.
    pub fn push(&mut self, mut sealed: Bytes, out: &mut BytesMut) -> Result<(), SealError> {
        let length = sealed.len() as u64;
        let in_body = self.body_end.saturating_sub(self.at).min(length);
        if in_body > 0 {
            // No larger than `length`, which came from a usize.
            let body = sealed.split_to(in_body as usize);
            if let Some(reader) = &mut self.body {
                reader.push(body, out)?;
            }
        }
        self.footer(self.at + in_body, &sealed)?;
        self.at += length;
        Ok(())
    }

    /// Every byte was pushed.
    ///
    /// # Errors
    /// `Authentication` when some are missing.
    pub fn finish(self) -> Result<(), SealError> {
        if self.at != self.end {
            return Err(SealError::Authentication("the sealed bytes end too early"));
        }
        self.body.map_or(Ok(()), SpanReader::finish)
    }

    /// Bytes behind the body, the first of them at offset `at`.
    fn footer(&self, at: u64, bytes: &[u8]) -> Result<(), SealError> {
        let (trailer_at, index_end) = (self.end - TRAILER_LEN, self.body_end + self.index.len() as u64);
        let end = at + bytes.len() as u64;
        if end > self.end {
            return Err(SealError::Authentication("more bytes than the object has"));
        }
        // The part of `bytes` that lies between two offsets.
        let cut = |from: u64, to: u64| {
            let (from, to) = (from.max(at), to.min(end));
            bytes.get((from - at) as usize..to.saturating_sub(at) as usize).unwrap_or_default()
        };
        let expected = |known: &[u8], known_at: u64, from: u64, found: &[u8]| {
            let skip = (from.max(at) - known_at) as usize;
            found.is_empty() || known.get(skip..).is_some_and(|rest| rest.starts_with(found))
        };
        if !expected(&self.index, self.body_end, self.body_end, cut(self.body_end, index_end)) {
            return Err(SealError::Authentication("the index changed while it was read"));
        }
        if cut(index_end, trailer_at).iter().any(|byte| *byte != 0) {
            return Err(SealError::Malformed("the padding is not zero"));
        }
        if !expected(&self.trailer, trailer_at, trailer_at, cut(trailer_at, self.end)) {
            return Err(SealError::Authentication("the trailer changed while it was read"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        ContentInfo, Entropy, ObjectName, ObjectSealer, PartEntry, Trailer, VaultKey, VaultKeyId, VaultKeyRef,
    };
    use super::*;
    use crate::s3::{BucketName, ObjectKey, PlainLen, SealedLen};
    use crate::secret::SecretBytes;

    struct Random;

    impl Entropy for Random {
        fn fill(&self, out: &mut [u8]) -> Result<(), SealError> {
            crate::clock::random(out).map_err(|_| SealError::NoEntropy)
        }
    }

    /// A sealed object of two parts with padding between index and trailer, and its opened trailer.
    fn sealed() -> (Bytes, OpenObject, Vec<u8>) {
        let reference = VaultKeyRef { id: VaultKeyId::parse("default").expect("a name"), version: 1 };
        let vault = VaultKey::new(reference, SecretBytes::new([9; 32])).expect("a key");
        let sealer = ObjectSealer::generate(crate::s3::Suite::Aes256Gcm, &vault, &Random).expect("a sealer");
        let plain: Vec<u8> = (0..5 * 1024 * 1024 + 70_000usize).map(|i| (i % 251) as u8).collect();
        let (mut out, mut entries) = (BytesMut::new(), Vec::new());
        for (number, part) in [(1, &plain[..5 * 1024 * 1024]), (2, &plain[5 * 1024 * 1024..])] {
            let mut message = sealer.message(&Random).expect("a message");
            message.update(part, &mut out).expect("sealed");
            let salt = message.finish(&mut out).expect("sealed").salt;
            let plain_len = PlainLen(part.len() as u64);
            entries.push(PartEntry { part_number: number, plain_len, salt, md5: [0; 16], checksum: None });
        }
        let content = ContentInfo { md5: [0; 16], multipart: true, checksum: None, written_at: 0, metadata_tag: None };
        let (bucket, key) = (BucketName::parse("docs").expect("a name"), ObjectKey::parse("k").expect("a key"));
        let name = ObjectName { bucket: &bucket, key: &key };
        out.extend_from_slice(&sealer.footer(&name, &entries, &content, &Random).expect("a footer"));
        let sealed = out.freeze();
        let last = &sealed[sealed.len() - TRAILER_LEN as usize..];
        let trailer = Trailer::parse(last, SealedLen(sealed.len() as u64)).expect("a trailer");
        let object = trailer.open(&vault, &name).expect("it opens");
        (sealed, object, plain)
    }

    fn reader(sealed: &Bytes, object: &OpenObject) -> WholeReader {
        let (start, length) = object.index_span().expect("two parts");
        let index = sealed.slice(start as usize..(start + length) as usize);
        WholeReader::new(object, index, sealed.slice(sealed.len() - TRAILER_LEN as usize..)).expect("a reader")
    }

    fn read(sealed: &[u8], step: usize, mut reader: WholeReader) -> Result<Vec<u8>, SealError> {
        let mut out = BytesMut::new();
        for piece in sealed.chunks(step) {
            reader.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        reader.finish().map(|()| out.to_vec())
    }

    #[test]
    fn every_split_gives_the_same_plaintext() {
        let (sealed, object, plain) = sealed();
        for step in [sealed.len(), 1 << 20, 65_537, 1_000] {
            assert!(read(&sealed, step, reader(&sealed, &object)).is_ok_and(|found| found == plain), "{step}");
        }
    }

    #[test]
    fn no_byte_of_the_object_may_change_be_missing_or_be_added() {
        let (sealed, object, _) = sealed();
        let (body_end, footer) = object.footer_span();
        let (_, index) = object.index_span().expect("two parts");
        let end = sealed.len();
        let first_padding = (body_end + index) as usize;
        assert!(first_padding < end - TRAILER_LEN as usize, "there is padding: {footer}");
        for at in [
            0,
            100,
            body_end as usize - 1,
            body_end as usize,
            first_padding - 1,
            first_padding,
            end - 529,
            end - 528,
            end - 1,
        ] {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert!(read(&changed, 65_536, reader(&sealed, &object)).is_err(), "byte {at}");
        }
        assert!(read(&sealed[..end - 1], 65_536, reader(&sealed, &object)).is_err());
        let longer = [&sealed[..], &[0]].concat();
        assert!(read(&longer, 65_536, reader(&sealed, &object)).is_err());
    }
}
