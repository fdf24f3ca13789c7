//! Bodies in `aws-chunked` form, from outside: one that ends before its closing chunk, or whose chunks are not signed
//! as they should be, gets the S3 error an SDK expects and leaves no object, however many of its bytes had come.
mod server_support;

use server_support::sign::Request;
use server_support::{Answer, Setup, World};

const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const EVERY: [&str; 3] = [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER];
const CRC32_OF_HELLO_WORLD: &str = "x-amz-checksum-crc32:DUoRhQ==";

/// An upload in chunks, and how it deviates from a good one.
#[derive(Clone)]
struct Upload {
    kind: &'static str,
    chunks: Vec<&'static [u8]>,
    /// The chunk of size 0.
    closing: bool,
    trailer: bool,
    /// The CRLF behind it all.
    last_line: bool,
    /// The chunk, or (one more) the trailer, whose signature is spoilt.
    forged: Option<usize>,
    declared: Option<usize>,
}

impl Upload {
    /// Two chunks, "hello " and "world".
    fn of(kind: &'static str) -> Self {
        let trailer = kind.ends_with("-TRAILER");
        let chunks = vec![&b"hello "[..], b"world"];
        Self { kind, chunks, closing: true, trailer, last_line: true, forged: None, declared: None }
    }

    fn bytes(&self) -> Vec<u8> {
        let decoded = self.declared.unwrap_or_else(|| self.chunks.iter().map(|chunk| chunk.len()).sum());
        let mut request = Request { hash: self.kind.to_owned(), ..Request::new("PUT", "/docs/k", b"") }
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", &decoded.to_string());
        if self.kind.ends_with("-TRAILER") {
            request = request.header("x-amz-trailer", "x-amz-checksum-crc32");
        }
        // A signature has always the same length, so that of the body does not depend on them.
        let length = self.body(&request).1.len();
        let (head, body) = self.body(&request.header("content-length", &length.to_string()));
        [head.as_bytes(), &body].concat()
    }

    fn body(&self, request: &Request) -> (String, Vec<u8>) {
        let (head, mut signer) = request.signed();
        let mut body = Vec::new();
        let shown = |index: usize, signature: String| {
            if self.forged == Some(index) { signature.chars().rev().collect() } else { signature }
        };
        let signed = self.kind != UNSIGNED_TRAILER;
        let closing = self.closing.then_some(&b""[..]);
        for (index, chunk) in self.chunks.iter().copied().chain(closing).enumerate() {
            body.extend(format!("{:x}", chunk.len()).bytes());
            if signed {
                body.extend(format!(";chunk-signature={}", shown(index, signer.chunk(chunk))).bytes());
            }
            body.extend(b"\r\n");
            if !chunk.is_empty() {
                body.extend(chunk);
                body.extend(b"\r\n");
            }
        }
        if self.trailer && self.closing {
            body.extend(format!("{CRC32_OF_HELLO_WORLD}\r\n").bytes());
            if signed {
                let signature = signer.trailer(&format!("{CRC32_OF_HELLO_WORLD}\n"));
                let signature = shown(self.chunks.len() + 1, signature);
                body.extend(format!("x-amz-trailer-signature:{signature}\r\n").bytes());
            }
        }
        if self.closing && self.last_line {
            body.extend(b"\r\n");
        }
        (head, body)
    }
}

async fn world() -> World {
    World::start(Setup::default()).await
}

async fn sent(world: &World, upload: &Upload) -> Answer {
    world.raw(&upload.bytes()).await
}

/// Each in a world of its own: refused with this code, nothing stored, one line that says so.
async fn refused(uploads: impl IntoIterator<Item = Upload>, status: u16, code: &str) {
    for upload in uploads {
        let world = world().await;
        let what = String::from_utf8_lossy(&upload.bytes()).into_owned();
        assert_eq!(sent(&world, &upload).await.outcome(), (status, code.to_owned()), "{what}");
        assert!(world.stored().is_empty(), "{what}");
        assert_eq!(world.line().await.error(), code, "{what}");
        world.nothing_runs().await;
    }
}

#[tokio::test]
async fn a_whole_body_is_stored_without_its_framing() {
    for kind in EVERY {
        let world = world().await;
        assert_eq!(sent(&world, &Upload::of(kind)).await.status, 200, "{kind}");
        assert_eq!(world.stored(), [("k".to_owned(), 11)], "{kind}");
    }
}

#[tokio::test]
async fn a_body_without_its_closing_chunk_is_incomplete_although_every_byte_came() {
    refused(EVERY.map(|kind| Upload { closing: false, ..Upload::of(kind) }), 400, "IncompleteBody").await;
}

#[tokio::test]
async fn an_empty_object_needs_its_closing_chunk_too() {
    let empty = |closing| Upload { chunks: Vec::new(), closing, ..Upload::of(SIGNED) };
    let world = world().await;
    assert_eq!(sent(&world, &empty(true)).await.status, 200);
    refused([empty(false)], 400, "IncompleteBody").await;
}

#[tokio::test]
async fn a_body_that_ends_behind_the_closing_chunk_but_before_its_last_line_is_incomplete() {
    refused(EVERY.map(|kind| Upload { last_line: false, ..Upload::of(kind) }), 400, "IncompleteBody").await;
}

#[tokio::test]
async fn a_trailer_that_was_announced_must_come() {
    let uploads = [SIGNED_TRAILER, UNSIGNED_TRAILER].map(|kind| Upload { trailer: false, ..Upload::of(kind) });
    refused(uploads, 400, "MalformedTrailerError").await;
}

#[tokio::test]
async fn every_signature_is_checked_the_closing_chunks_and_the_trailers_too() {
    let chunks = (0..3).map(|index| Upload { forged: Some(index), ..Upload::of(SIGNED) });
    let with_trailer = (0..4).map(|index| Upload { forged: Some(index), ..Upload::of(SIGNED_TRAILER) });
    refused(chunks.chain(with_trailer), 403, "SignatureDoesNotMatch").await;
}

#[tokio::test]
async fn a_body_of_another_length_than_declared_is_incomplete() {
    let uploads = [0, 10, 12].map(|length| Upload { declared: Some(length), ..Upload::of(SIGNED) });
    refused(uploads, 400, "IncompleteBody").await;
}
