//! Whether an `aws-chunked` body came to its own end. PURE.
//!
//! ```text
//! body    := chunk* last trailer* CRLF
//! chunk   := size (";chunk-signature=" signature)? CRLF data CRLF      last: the chunk of size 0, without data
//! trailer := name ":" value CRLF
//! ```
//!
//! `s3s` 0.17 takes a body that ends between two chunks for a whole one, as long as the declared length was reached,
//! and one without the trailer that it announced as well. Signatures and the framing in between it does check, the
//! last chunk's and the trailer's included; so it is enough to see that they are there. Nothing is held in memory.
use super::progress::Fault;
use http::HeaderMap;

/// Values of `x-amz-content-sha256` that say that the body is framed begin so.
const STREAMING: &[u8] = b"STREAMING-";
const WITH_TRAILER: &[u8] = b"-TRAILER";
const CRLF: u64 = 2;

/// Follows the framing of one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    place: Place,
    trailer: Trailer,
}

/// Where in the grammar the next byte stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In the digits of a chunk's size.
    Size(u64),
    /// Behind them, up to the end of the line.
    Extension(u64),
    /// In a chunk's data or the CRLF behind it; so many bytes are left.
    Data(u64),
    /// Behind the last chunk. Whether the current line has begun, and whether the one before it was empty: a body
    /// ends with an empty line.
    End { begun: bool, empty: bool },
    /// Nowhere: `s3s` will find the same.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trailer {
    None,
    Announced,
    Seen,
}

// === impl Framing ===

impl Framing {
    /// `None` when the body is not framed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get("x-amz-content-sha256")?.as_bytes();
        let trailer = if value.ends_with(WITH_TRAILER) { Trailer::Announced } else { Trailer::None };
        value.starts_with(STREAMING).then_some(Self { place: Place::Size(0), trailer })
    }

    /// The next bytes of the body.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let Place::Data(left) = self.place {
                let skipped = left.min(bytes.len() as u64);
                bytes = &bytes[skipped as usize..];
                self.place = if left > skipped { Place::Data(left - skipped) } else { Place::Size(0) };
                continue;
            }
            bytes = rest;
            self.step(byte);
        }
    }

    /// What is missing when the body ends here.
    pub(super) fn missing(&self) -> Option<Fault> {
        match (&self.place, self.trailer) {
            (Place::End { begun: false, empty: true }, Trailer::Announced) => Some(Fault::Untrailed),
            (Place::End { begun: false, empty: true }, _) => None,
            _ => Some(Fault::Unclosed),
        }
    }

    fn step(&mut self, byte: u8) {
        self.place = match (&self.place, byte) {
            (Place::Size(size), b';' | b'\r') => Place::Extension(*size),
            (Place::Size(size), byte) => {
                let digit = char::from(byte).to_digit(16).map(u64::from);
                let longer = digit.and_then(|digit| size.checked_mul(16)?.checked_add(digit));
                longer.map_or(Place::Lost, Place::Size)
            }
            (Place::Extension(0), b'\n') => Place::End { begun: false, empty: false },
            (Place::Extension(size), b'\n') => size.checked_add(CRLF).map_or(Place::Lost, Place::Data),
            (Place::Extension(size), _) => Place::Extension(*size),
            (Place::End { begun, .. }, b'\n') => Place::End { begun: false, empty: !begun },
            (Place::End { begun, empty }, b'\r') => Place::End { begun: *begun, empty: *empty },
            (Place::End { .. }, _) => {
                if self.trailer == Trailer::Announced {
                    self.trailer = Trailer::Seen;
                }
                Place::End { begun: true, empty: false }
            }
            (Place::Data(_) | Place::Lost, _) => Place::Lost,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const TRAILED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

    fn framing(kind: &'static str) -> Framing {
        let headers = [(http::HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_static(kind))];
        Framing::of(&headers.into_iter().collect()).expect("framed")
    }

    fn missing(kind: &'static str, body: &[u8]) -> Option<Fault> {
        let mut framing = framing(kind);
        framing.take(body);
        framing.missing()
    }

    #[test]
    fn only_streaming_bodies_are_framed() {
        for kind in ["UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""] {
            let headers = [(http::HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_static(kind))];
            assert_eq!(Framing::of(&headers.into_iter().collect()), None);
        }
        assert_eq!(Framing::of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_whole_body_misses_nothing_and_every_shorter_one_does() {
        for (kind, body) in [
            (SIGNED, &b"5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n"[..]),
            (SIGNED, b"0;chunk-signature=cd\r\n\r\n"),
            (TRAILED, b"A\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"),
            (TRAILED, b"0\r\nx-a:1\r\nx-b:2\r\n\r\n"),
        ] {
            assert_eq!(missing(kind, body), None);
            for end in 0..body.len() {
                assert!(missing(kind, &body[..end]).is_some(), "{end} bytes of {}", body.escape_ascii());
            }
        }
    }

    #[test]
    fn an_announced_trailer_must_be_there() {
        assert_eq!(missing(TRAILED, b"1\r\nx\r\n0\r\n\r\n"), Some(Fault::Untrailed));
        assert_eq!(missing(SIGNED, b"1;a\r\nx\r\n0;b\r\n\r\n"), None);
    }

    #[test]
    fn data_that_looks_like_an_end_is_data() {
        assert_eq!(missing(SIGNED, b"6;a\r\n\n0\r\n\r\n\r\n"), Some(Fault::Unclosed));
    }

    #[test]
    fn a_body_that_is_not_framed_at_all_is_not_closed() {
        for body in [&b"zz\r\n"[..], b"ffffffffffffffffff\r\n", b"-1\r\n", b"0x0\r\n\r\n"] {
            assert_eq!(missing(SIGNED, body), Some(Fault::Unclosed), "{}", body.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(bytes: Vec<u8>, at in 0usize..64, closed: bool) {
            let mut body = if closed { b"3;x\r\nabc\r\n0;x\r\n\r\n".to_vec() } else { Vec::new() };
            body.extend(&bytes);
            let mut pieces = framing(SIGNED);
            let (first, second) = body.split_at(at.min(body.len()));
            pieces.take(first);
            pieces.take(second);
            let mut whole = framing(SIGNED);
            whole.take(&body);
            prop_assert_eq!(pieces, whole);
        }
    }
}
