//! The MD5s of plaintext as it streams by, held against those that the trailer and the index remember: the ETag a
//! client once got is the ETag of these bytes.
use crate::seal::{ContentInfo, Layout, PartEntry};
use md5::{Digest, Md5};

/// MD5 of every part, and of their MD5s.
pub(super) struct Fingerprint {
    parts: Vec<PartEntry>,
    part: usize,
    /// Bytes of the current part still to come.
    left: u64,
    current: Md5,
    all: Md5,
    right: bool,
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(super) fn new(layout: &Layout) -> Self {
        let parts = layout.parts().to_vec();
        let left = parts.first().map_or(0, |part| part.plain_len.0);
        let mut this = Self { parts, part: 0, left, current: Md5::new(), all: Md5::new(), right: true };
        this.end_parts();
        this
    }

    pub(super) fn update(&mut self, mut plain: &[u8]) {
        while !plain.is_empty() && self.part < self.parts.len() {
            let (now, rest) = plain.split_at(usize::try_from(self.left).unwrap_or(usize::MAX).min(plain.len()));
            self.current.update(now);
            self.left -= now.len() as u64;
            plain = rest;
            self.end_parts();
        }
    }

    /// Whether all bytes came and every MD5 is the remembered one.
    pub(super) fn matches(self, content: &ContentInfo) -> bool {
        let whole: [u8; 16] = match (content.multipart, self.parts.as_slice()) {
            (false, [only]) => only.md5,
            _ => self.all.finalize().into(),
        };
        self.right && self.part == self.parts.len() && whole == content.md5
    }

    /// Closes every part that is complete (an empty object's one part is so from the start).
    fn end_parts(&mut self) {
        while self.left == 0
            && let Some(part) = self.parts.get(self.part)
        {
            let md5: [u8; 16] = std::mem::take(&mut self.current).finalize().into();
            self.right &= md5 == part.md5;
            self.all.update(md5);
            self.part += 1;
            self.left = self.parts.get(self.part).map_or(0, |part| part.plain_len.0);
        }
    }
}
