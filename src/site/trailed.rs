//! A body with its checksum behind it: one `aws-chunked` chunk, and CRC-64/NVME as a trailer.
//!
//! AWS takes an upload into a bucket with object lock only with a checksum, and ours is not known before the last byte
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>, the unsigned form).
use super::body::OutBody;
use super::feed::BodyError;
use super::sign::Header;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use http_body::Body;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The value of `x-amz-content-sha256`.
pub(super) const TRAILED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
/// The trailer's name, and the value of `x-amz-trailer`.
const TRAILER: &str = "x-amz-checksum-crc64nvme";
/// 8 bytes in base64.
const DIGITS: u64 = 12;

/// `HEX-LENGTH CRLF bytes CRLF 0 CRLF trailer CRLF CRLF`; an empty body has no chunk but the last.
pub(super) struct Trailed {
    inner: Box<OutBody>,
    sum: Box<Digest>,
    at: At,
    /// The bytes inside.
    length: u64,
    left: u64,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    Bytes,
    Tail,
    End,
}

/// What the headers of a request say of the framing.
pub(super) struct Framing {
    decoded_length: String,
}

// === impl Framing ===

impl Framing {
    /// Of a body around `length` bytes. `None` for one without framing.
    pub(super) fn of(body: &OutBody, length: u64) -> Option<Self> {
        matches!(body, OutBody::Trailed(_)).then(|| Self { decoded_length: length.to_string() })
    }

    /// Lower-case, sorted.
    pub(super) fn headers(&self) -> [Header<'_>; 3] {
        [
            // Taken off again by the site. (An encoding of the object's own is never sent: [`super::IN_CLEAR`].)
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", self.decoded_length.as_str()),
            ("x-amz-trailer", TRAILER),
        ]
    }
}

// === impl Trailed ===

impl Trailed {
    /// Around a body of `length` bytes.
    pub(super) fn new(inner: OutBody, length: u64) -> Self {
        let at = if length == 0 { At::Tail } else { At::Head };
        Self {
            inner: Box::new(inner),
            sum: Box::new(Digest::new(CrcAlgorithm::Crc64Nvme)),
            at,
            length,
            left: encoded(length),
        }
    }

    /// The same with a checksum that is wrong, for the probe.
    pub(super) fn spoilt(mut self) -> Self {
        self.sum.update(b"x");
        self
    }

    /// Bytes still to come, framing included.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The next piece of the framed body.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = match self.at {
            At::Head => {
                self.at = At::Bytes;
                Bytes::from(format!("{:x}\r\n", self.length))
            }
            At::Bytes => match std::task::ready!(Pin::new(&mut *self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.sum.update(&bytes);
                    if self.inner.is_end_stream() {
                        self.at = At::Tail;
                    }
                    bytes
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.at = At::End;
                    return Poll::Ready(Some(Err("the body ended before its last byte".into())));
                }
            },
            At::Tail => {
                self.at = At::End;
                let sum = BASE64_STANDARD.encode(self.sum.finalize().to_be_bytes());
                let end_of_chunk = if self.length == 0 { "" } else { "\r\n" };
                Bytes::from(format!("{end_of_chunk}0\r\n{TRAILER}:{sum}\r\n\r\n"))
            }
            At::End => return Poll::Ready(None),
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(piece)))
    }
}

/// Bytes of the framed body around `length` bytes.
pub(super) fn encoded(length: u64) -> u64 {
    let last = "0\r\n".len() as u64 + TRAILER.len() as u64 + 1 + DIGITS + "\r\n\r\n".len() as u64;
    if length == 0 { last } else { format!("{length:x}").len() as u64 + 2 + length + 2 + last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::feed::Feed;
    use crate::site::object::PutBody;
    use std::future::poll_fn;

    async fn whole(mut body: Trailed) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
            all.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        }
        assert_eq!(body.left(), 0);
        Ok(all)
    }

    #[tokio::test]
    async fn a_body_is_one_chunk_and_its_checksum() {
        // The check value of CRC-64/NVME (<https://reveng.sourceforge.io/crc-catalogue/all.htm>): ae8b14860a799888.
        let sum = BASE64_STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes());
        let framed = whole(Trailed::new(OutBody::Full(Bytes::from_static(b"123456789")), 9)).await.expect("whole");
        assert_eq!(framed, format!("9\r\n123456789\r\n0\r\n{TRAILER}:{sum}\r\n\r\n").as_bytes());
        assert_eq!(framed.len() as u64, encoded(9));
    }

    #[tokio::test]
    async fn an_empty_body_has_a_checksum_too() {
        let framed = whole(Trailed::new(OutBody::Empty, 0)).await.expect("whole");
        assert_eq!(framed, format!("0\r\n{TRAILER}:AAAAAAAAAAA=\r\n\r\n").as_bytes());
        assert_eq!(framed.len() as u64, encoded(0));
    }

    #[tokio::test]
    async fn pieces_make_the_same_body_and_one_that_is_cut_off_is_an_error() {
        for (pieces, fine) in [(vec!["abc", "", "defghijklmnopq"], true), (vec!["abc"], false)] {
            let (sender, chunks) = tokio::sync::mpsc::channel(4);
            for piece in pieces {
                sender.send(Bytes::from_static(piece.as_bytes())).await.expect("room");
            }
            drop(sender);
            let (feed, _watch) = Feed::new(PutBody { length: 17, chunks });
            let framed = whole(Trailed::new(OutBody::Feed(feed), 17)).await;
            let expected = whole(Trailed::new(OutBody::Full(Bytes::from_static(b"abcdefghijklmnopq")), 17)).await;
            assert_eq!(framed.is_ok(), fine);
            assert!(!fine || (framed == expected && framed.is_ok_and(|bytes| bytes.starts_with(b"11\r\n"))));
        }
    }
}
