//! The one place where client bytes come in: hashed, sealed, handed to the sites, verified.
//!
//! Nothing is buffered beyond a batch. The footer, or whatever else completes the write, is the caller's to send, after [`Ingest::run`]
//! has returned: only then has every checksum been compared.
use super::Gateway;
use super::checksum::{Declared, Hasher};
use super::respond::{GatewayError, custom, failed_authentication, unavailable};
use crate::s3::PlainLen;
use crate::seal::{ChecksumValue, CustomerKey, ObjectSealer, PartEntry};
use crate::site::tee::TeeWrite;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::StatusCode;
use s3s::stream::aws_chunked_stream::AwsChunkedStreamError;
use s3s::stream::upload_stream::UploadStreamError;
use s3s::{BodySizeLimitExceeded, S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders};

/// Sealed bytes handed to the sites at once.
const BATCH: usize = 64 * 1024;

/// The client sent nothing for too long. The front makes a body fail with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client sent no data for too long")]
pub struct ClientStalled;

/// One body on its way in.
pub(super) struct Ingest<'a, B> {
    pub(super) gateway: &'a Gateway,
    pub(super) sealer: &'a ObjectSealer,
    /// The one that the sealer was begun with.
    pub(super) customer: Option<&'a CustomerKey>,
    pub(super) body: B,
    /// What the client said it would send.
    pub(super) length: PlainLen,
    pub(super) declared: &'a Declared,
    pub(super) trailers: Option<&'a TrailingHeaders>,
}

/// A body that arrived whole and verified.
pub(super) struct Ingested {
    /// Its entry in the index, under the part number given.
    pub(super) entry: PartEntry,
    /// Its checksum, where one was asked for.
    pub(super) checksum: Option<ChecksumValue>,
    /// Sealed bytes not sent yet: the end of the message.
    pub(super) rest: BytesMut,
}

impl<B> Ingest<'_, B>
where
    B: Stream<Item = Result<Bytes, StdError>> + Unpin,
{
    /// Reads the body to its end. On any error the caller drops `write`, and nothing becomes visible.
    pub(super) async fn run(mut self, part_number: u16, write: &mut TeeWrite) -> Result<Ingested, GatewayError> {
        self.gateway.keyring.take_bytes(self.sealer.key_ref(), self.length.0).await?;
        let entropy = self.gateway.entropy.as_ref();
        let mut message = self.sealer.message_with(self.customer, entropy)?;
        let mut hasher = Hasher::new(&self.gateway.md5, self.length, self.declared.algorithm());
        let mut out = BytesMut::new();
        let mut received = 0u64;
        while let Some(chunk) = self.body.next().await {
            let chunk = chunk.map_err(|error| body_error(error.as_ref()))?;
            received += chunk.len() as u64;
            if received > self.length.0 {
                return Err(incomplete().into());
            }
            hasher.update(&chunk).await?;
            out.reserve(BATCH.min((self.length.0 - received) as usize + chunk.len()) + 1024);
            for piece in chunk.chunks(BATCH) {
                message.update(piece, &mut out)?;
                if out.len() >= BATCH {
                    write.send(out.split().freeze()).await?;
                }
            }
        }
        if received != self.length.0 {
            return Err(incomplete().into());
        }
        let summary = message.finish(&mut out)?;
        let (md5, checksum) = hasher.finish().await?;
        self.declared.verify(&md5, checksum.as_ref(), self.trailers)?;
        let entry = PartEntry { part_number, plain_len: summary.plain_len, salt: summary.salt, md5, checksum };
        Ok(Ingested { entry, checksum, rest: out })
    }
}

/// The length a client declared; S3 wants one (411).
pub(super) fn declared_length(content_length: Option<i64>) -> S3Result<PlainLen> {
    let length = content_length.ok_or_else(|| S3Error::new(S3ErrorCode::MissingContentLength))?;
    u64::try_from(length).map(PlainLen).map_err(|_| S3Error::new(S3ErrorCode::InvalidArgument))
}

fn incomplete() -> S3Error {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
    S3Error::with_message(S3ErrorCode::IncompleteBody, message)
}

/// A body that is small enough to be held, whole; how much it may be, the front has seen to.
///
/// # Errors
/// What broke it off.
pub(super) async fn collect(mut body: s3s::Body) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| body_error(error.as_ref()))?);
    }
    Ok(bytes.freeze())
}

/// What went wrong while the body was read, in S3's words. The causes are wrapped in each other, so all are looked at.
pub(super) fn body_error(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<ClientStalled>() {
            let message =
                "Your socket connection to the server was not read from or written to within the timeout period.";
            return S3Error::with_message(S3ErrorCode::RequestTimeout, message);
        }
        if cause.is::<BodySizeLimitExceeded>() {
            return S3Error::new(S3ErrorCode::EntityTooLarge);
        }
        if let Some(error) = cause.downcast_ref::<GatewayError>() {
            // The body is a copy's source, and reading it failed after it had begun.
            tracing::warn!(%error, "the source of a copy could not be read to its end");
            return match error {
                GatewayError::Integrity { .. } | GatewayError::Seal(_) => failed_authentication(),
                _ => unavailable(),
            };
        }
        match cause.downcast_ref::<UploadStreamError>() {
            Some(UploadStreamError::Sha256Mismatch) => return sha256_mismatch(),
            Some(UploadStreamError::LengthMismatch | UploadStreamError::Incomplete) => return incomplete(),
            _ => {}
        }
        match cause.downcast_ref::<AwsChunkedStreamError>() {
            Some(AwsChunkedStreamError::Underlying(_)) | None => {}
            Some(AwsChunkedStreamError::Incomplete | AwsChunkedStreamError::LengthMismatch) => return incomplete(),
            Some(AwsChunkedStreamError::TrailersTooLarge(..) | AwsChunkedStreamError::TooManyTrailerHeaders(..)) => {
                let message = "The request contained trailing data that was not well-formed.";
                return custom("MalformedTrailerError", StatusCode::BAD_REQUEST, message);
            }
            Some(other) => return S3Error::new(other.to_s3_error_code()),
        }
        next = cause.source();
    }
    // What is left is the transport: the client hung up, or broke the framing of its request.
    incomplete()
}

/// The body is not the one whose hash was signed.
pub(super) fn sha256_mismatch() -> S3Error {
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    custom("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_a_body_fails_has_its_s3_code() {
        let code = |error: StdError| body_error(error.as_ref()).code().as_str().to_owned();
        assert_eq!(code(Box::new(ClientStalled)), "RequestTimeout");
        assert_eq!(code(Box::new(UploadStreamError::Sha256Mismatch)), "XAmzContentSHA256Mismatch");
        assert_eq!(code(Box::new(UploadStreamError::Incomplete)), "IncompleteBody");
        assert_eq!(code(Box::new(AwsChunkedStreamError::SignatureMismatch)), "SignatureDoesNotMatch");
        assert_eq!(code(Box::new(AwsChunkedStreamError::Incomplete)), "IncompleteBody");
        assert_eq!(code(Box::new(AwsChunkedStreamError::Underlying(Box::new(ClientStalled)))), "RequestTimeout");
        assert_eq!(code(Box::new(std::io::Error::other("reset"))), "IncompleteBody");
    }
}
