//! The one place that computes byte ranges (RFC 9110 section 14; S3 serves a single range).
use super::PlainLen;

/// A range as asked for, before the object's length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both inclusive.
    FromTo { first: u64, last: u64 },
    /// `bytes=first-`.
    From { first: u64 },
    /// `bytes=-length`: the last `length` bytes.
    Suffix { length: u64 },
}

/// A satisfiable span of plaintext: `start` inclusive, `end` exclusive, `start <= end <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSpan {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// Length of the whole object.
    pub total: PlainLen,
}

/// The range selects nothing: HTTP 416 `InvalidRange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requested range is not satisfiable")]
pub struct Unsatisfiable;

// === impl ByteRange ===

impl ByteRange {
    /// What the range selects in an object of `total` bytes.
    pub fn resolve(self, total: PlainLen) -> Result<PlainSpan, Unsatisfiable> {
        let len = total.0;
        let (start, end) = match self {
            Self::FromTo { first, last } if first <= last && first < len => (first, last.saturating_add(1).min(len)),
            Self::From { first } if first < len => (first, len),
            Self::Suffix { length } if length > 0 && len > 0 => (len - length.min(len), len),
            _ => return Err(Unsatisfiable),
        };
        Ok(PlainSpan { start, end, total })
    }
}

// === impl PlainSpan ===

impl PlainSpan {
    /// The whole object.
    pub fn whole(total: PlainLen) -> Self {
        Self { start: 0, end: total.0, total }
    }

    /// How many bytes it selects.
    pub fn len(&self) -> PlainLen {
        PlainLen(self.end - self.start)
    }

    /// True for the span of an empty object.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The value of `Content-Range`: `bytes first-last/total`. Only for non-empty spans.
    pub fn content_range(&self) -> String {
        format!("bytes {}-{}/{}", self.start, self.end.saturating_sub(1), self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(r: ByteRange, total: u64) -> Option<(u64, u64)> {
        r.resolve(PlainLen(total)).ok().map(|s| (s.start, s.end))
    }

    #[test]
    fn every_form_resolves_as_rfc_9110_says() {
        assert_eq!(span(ByteRange::FromTo { first: 0, last: 0 }, 10), Some((0, 1)));
        assert_eq!(span(ByteRange::FromTo { first: 2, last: 99 }, 10), Some((2, 10)));
        assert_eq!(span(ByteRange::FromTo { first: 2, last: u64::MAX }, 10), Some((2, 10)));
        assert_eq!(span(ByteRange::FromTo { first: 10, last: 11 }, 10), None);
        assert_eq!(span(ByteRange::FromTo { first: 3, last: 2 }, 10), None);
        assert_eq!(span(ByteRange::From { first: 9 }, 10), Some((9, 10)));
        assert_eq!(span(ByteRange::From { first: 10 }, 10), None);
        assert_eq!(span(ByteRange::Suffix { length: 3 }, 10), Some((7, 10)));
        assert_eq!(span(ByteRange::Suffix { length: 30 }, 10), Some((0, 10)));
        assert_eq!(span(ByteRange::Suffix { length: 0 }, 10), None);
        assert_eq!(span(ByteRange::Suffix { length: 1 }, 0), None);
        assert_eq!(span(ByteRange::From { first: 0 }, 0), None);
    }
}
