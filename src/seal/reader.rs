//! Reading: where parts lie, which sealed bytes a span needs, and turning them into verified plaintext.
use super::derive::{COMMITMENT, Derived, Expander, Identity};
use super::error::SealError;
use super::length::{CHUNK, HEADER, SEALED_CHUNK, message_len};
use super::message::{ChunkCipher, check_commitment};
use super::object::message_keys;
use super::part::PartEntry;
use crate::s3::{PlainLen, PlainSpan};
use bytes::{Buf, Bytes, BytesMut};
use std::sync::Arc;

/// Where every part lies in the sealed object. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout {
    parts: Arc<[PartEntry]>,
    /// Plain and sealed offset of every part, and of the end.
    offsets: Arc<[(u64, u64)]>,
}

/// Turns the sealed bytes of a span into verified plaintext, chunk by chunk. No `Debug`: it holds keys.
pub struct SpanReader {
    expander: Arc<Expander>,
    identity: Identity,
    layout: Layout,
    span: PlainSpan,
    sealed: (u64, u64),
    /// The part being read, and one past the last part to read.
    part: usize,
    end_part: usize,
    /// The next unit of the part: its header, or a chunk.
    next: Unit,
    /// One past the last chunk to read of the last part.
    end_chunk: u64,
    cipher: ChunkCipher,
    /// What the header of the part being read must commit to.
    commitment: [u8; COMMITMENT],
    /// Sealed bytes of a unit that has not arrived whole.
    partial: BytesMut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Header,
    Chunk(u64),
    End,
}

// === impl Layout ===

impl Layout {
    pub(super) fn new(parts: Vec<PartEntry>, total: PlainLen) -> Result<Self, SealError> {
        let mut offsets = Vec::with_capacity(parts.len() + 1);
        let (mut plain, mut sealed) = (0u64, 0u64);
        for part in &parts {
            offsets.push((plain, sealed));
            plain = plain.checked_add(part.plain_len.0).ok_or(SealError::TooLarge("object"))?;
            sealed = sealed.checked_add(message_len(part.plain_len).0).ok_or(SealError::TooLarge("object"))?;
        }
        offsets.push((plain, sealed));
        if plain != total.0 || parts.is_empty() {
            return Err(SealError::Malformed("the parts do not add up to the object"));
        }
        Ok(Self { parts: parts.into(), offsets: offsets.into() })
    }

    /// The parts in order.
    pub fn parts(&self) -> &[PartEntry] {
        &self.parts
    }

    /// The plain span of the `ordinal`-th part (from 1), for `partNumber` reads.
    pub fn part_span(&self, ordinal: u32) -> Option<PlainSpan> {
        let at = (ordinal as usize).checked_sub(1)?;
        let (start, _) = *self.offsets.get(at)?;
        let (end, _) = *self.offsets.get(at + 1)?;
        Some(PlainSpan { start, end, total: self.total() })
    }

    /// Sealed byte span (start, length) of the body: every message, without the footer.
    pub fn body_span(&self) -> (u64, u64) {
        (0, self.offsets.last().map_or(0, |(_, sealed)| *sealed))
    }

    fn total(&self) -> PlainLen {
        PlainLen(self.offsets.last().map_or(0, |(plain, _)| *plain))
    }

    /// The part that holds a byte of plaintext.
    fn part_of(&self, byte: u64) -> usize {
        self.offsets.partition_point(|(plain, _)| *plain <= byte).saturating_sub(1).min(self.parts.len() - 1)
    }

    fn plain_start(&self, part: usize) -> u64 {
        self.offsets[part].0
    }

    fn sealed_start(&self, part: usize) -> u64 {
        self.offsets[part].1
    }

    /// Chunks of a part: the last is always shorter and may be empty.
    fn chunks(&self, part: usize) -> u64 {
        self.parts[part].plain_len.0 / CHUNK + 1
    }

    /// Bytes of a sealed unit.
    fn unit_len(&self, part: usize, unit: Unit) -> usize {
        let length = match unit {
            Unit::Header => HEADER,
            Unit::Chunk(n) if n + 1 < self.chunks(part) => SEALED_CHUNK,
            Unit::Chunk(_) => SEALED_CHUNK - CHUNK + self.parts[part].plain_len.0 % CHUNK,
            Unit::End => 0,
        };
        length as usize
    }
}

// === impl SpanReader ===

impl SpanReader {
    /// `first` are the keys of the layout's first part.
    pub(super) fn new(
        expander: &Arc<Expander>,
        identity: Identity,
        layout: &Layout,
        span: PlainSpan,
        first: &Derived,
    ) -> Result<Self, SealError> {
        let total = layout.total();
        if span.total != total || span.start > span.end || span.end > total.0 || (span.is_empty() && total.0 > 0) {
            return Err(SealError::Malformed("the span is not inside the object"));
        }
        let part = layout.part_of(span.start);
        let first_chunk = (span.start - layout.plain_start(part)) / CHUNK;
        let last = if span.end == total.0 { layout.parts.len() - 1 } else { layout.part_of(span.end - 1) };
        let in_last = span.end - layout.plain_start(last);
        // A span that reaches a part's end reads its last chunk even when that is empty: it proves the end.
        let to_the_end = in_last == layout.parts[last].plain_len.0;
        let end_chunk = if to_the_end { layout.chunks(last) } else { in_last.div_ceil(CHUNK) };
        let next = if first_chunk == 0 { Unit::Header } else { Unit::Chunk(first_chunk) };
        let sealed_start =
            layout.sealed_start(part) + if first_chunk == 0 { 0 } else { HEADER + first_chunk * SEALED_CHUNK };
        let sealed_end = if end_chunk == layout.chunks(last) {
            layout.sealed_start(last + 1)
        } else {
            layout.sealed_start(last) + HEADER + end_chunk * SEALED_CHUNK
        };
        let later = match part {
            0 => None,
            part => Some(message_keys(expander, &identity, &layout.parts[part].salt)?),
        };
        let keys = later.as_ref().unwrap_or(first);
        Ok(Self {
            expander: Arc::clone(expander),
            identity,
            layout: layout.clone(),
            span,
            sealed: (sealed_start, sealed_end - sealed_start),
            part,
            end_part: last + 1,
            next,
            end_chunk,
            cipher: ChunkCipher::starting_at(keys, first_chunk)?,
            commitment: keys.commitment,
            partial: BytesMut::new(),
        })
    }

    /// The sealed bytes to fetch: (start, length). A whole-object read covers every chunk, the empty object's one included.
    pub fn sealed_span(&self) -> (u64, u64) {
        self.sealed
    }

    /// Pushes the next sealed bytes, in any split; appends verified plaintext to `out`. Message headers inside the span are
    /// checked and skipped.
    ///
    /// # Errors
    /// `Authentication` as soon as a header or chunk is not what was sealed; nothing of it is appended.
    pub fn push(&mut self, mut sealed: Bytes, out: &mut BytesMut) -> Result<(), SealError> {
        while !sealed.is_empty() {
            let need = self.layout.unit_len(self.part, self.next);
            if self.next == Unit::End {
                return Err(SealError::Authentication("more bytes than the span has"));
            }
            if self.partial.is_empty() && sealed.len() >= need {
                self.unit(&sealed[..need], out)?;
                sealed.advance(need);
                continue;
            }
            let take = (need - self.partial.len()).min(sealed.len());
            self.partial.reserve(need - self.partial.len());
            self.partial.extend_from_slice(&sealed[..take]);
            sealed.advance(take);
            if self.partial.len() == need {
                let whole = std::mem::take(&mut self.partial);
                self.unit(&whole, out)?;
                self.partial = whole;
                self.partial.clear();
            }
        }
        Ok(())
    }

    /// All sealed bytes were pushed.
    ///
    /// # Errors
    /// `Authentication` when something is missing.
    pub fn finish(self) -> Result<(), SealError> {
        if self.next == Unit::End && self.partial.is_empty() {
            Ok(())
        } else {
            Err(SealError::Authentication("the sealed bytes end too early"))
        }
    }

    /// One whole header or chunk.
    fn unit(&mut self, sealed: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        match self.next {
            Unit::Header => self.header(sealed),
            Unit::Chunk(number) => self.chunk(number, sealed, out),
            Unit::End => Err(SealError::Authentication("more bytes than the span has")),
        }
    }

    fn header(&mut self, sealed: &[u8]) -> Result<(), SealError> {
        let salt = &self.layout.parts[self.part].salt;
        let (found, commitment) = sealed.split_at_checked(salt.len()).ok_or(SealError::Malformed("header"))?;
        if found != salt {
            return Err(SealError::Authentication("a message is not the one that belongs here"));
        }
        check_commitment(&self.commitment, commitment)?;
        self.next = Unit::Chunk(0);
        Ok(())
    }

    fn chunk(&mut self, number: u64, sealed: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        let at = out.len();
        self.cipher.open(sealed, out)?;
        let start = self.layout.plain_start(self.part) + number * CHUNK;
        let opened = (out.len() - at) as u64;
        // What lies outside the span was needed for authentication only.
        let keep_end = self.span.end.saturating_sub(start).min(opened);
        out.truncate(at + keep_end as usize);
        let skip = self.span.start.saturating_sub(start).min(keep_end) as usize;
        if skip > 0 {
            out.copy_within(at + skip.., at);
            out.truncate(out.len() - skip);
        }
        self.after(number)
    }

    /// Moves to the unit after a chunk.
    fn after(&mut self, number: u64) -> Result<(), SealError> {
        let is_last_part = self.part + 1 == self.end_part;
        let end = if is_last_part { self.end_chunk } else { self.layout.chunks(self.part) };
        self.next = if number + 1 < end {
            Unit::Chunk(number + 1)
        } else if is_last_part {
            Unit::End
        } else {
            self.part += 1;
            let keys = message_keys(&self.expander, &self.identity, &self.layout.parts[self.part].salt)?;
            self.cipher = ChunkCipher::new(&keys)?;
            self.commitment = keys.commitment;
            Unit::Header
        };
        Ok(())
    }
}
