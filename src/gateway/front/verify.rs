//! Requests whose `Range` has to be changed before `s3s` parses it, although the signature covers it.
//!
//! Such a request goes through `s3s` twice. The first time it is as it came, and a route takes it as soon as its
//! signature has been verified; the second time it has the range that S3 would read, no signature, and the
//! [`Verified`] that the first time left. Access is decided the second time, like any other request's. A client can
//! not bring a [`Verified`] along: it is an extension, and only made here.
use super::super::access::Verified;
use http::header::{AUTHORIZATION, RANGE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use s3s::{Body, HttpResponse, S3Request, S3Response};

/// Marks a request of which only the signature is wanted.
#[derive(Clone, Copy)]
struct VerifyOnly;

/// What is left to do once the signature has been verified.
pub(super) struct Second(Parts);

/// Whether only the signature of this request is wanted.
pub(super) fn is_marked(extensions: &http::Extensions) -> bool {
    extensions.get::<VerifyOnly>().is_some()
}

/// The answer to a marked request whose signature has been verified.
pub(super) fn verified(req: S3Request<Body>) -> S3Response<Body> {
    let mut response = S3Response::new(Body::empty());
    let access_key_id = req.credentials.map(|credentials| credentials.access_key);
    response.extensions.insert(Verified { access_key_id });
    response
}

// === impl Second ===

impl Second {
    /// Marks `head` for the first time, and makes the second one, with `range` in place of the one that is there.
    pub(super) fn after(head: &mut Parts, range: Option<HeaderValue>) -> Self {
        let mut second = head.clone();
        second.headers.remove(AUTHORIZATION);
        second.headers.remove(RANGE);
        if let Some(range) = range {
            second.headers.insert(RANGE, range);
        }
        second.uri = unsigned(&second.uri);
        head.extensions.insert(VerifyOnly);
        Self(second)
    }

    /// The second request, when the answer to the first says that the signature is right.
    pub(super) fn verified(mut self, first: &HttpResponse) -> Option<Parts> {
        let verified = first.extensions().get::<Verified>()?;
        self.0.extensions.insert(verified.clone());
        Some(self.0)
    }
}

/// The address without a signature in it. Should one be left, `s3s` would check it and refuse the request.
fn unsigned(uri: &Uri) -> Uri {
    let Some(query) = uri.query() else { return uri.clone() };
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let kept = query.split('&').filter(|pair| percent_decode_str(&name(pair)).ne(*b"X-Amz-Signature"));
    let address = format!("{}?{}", uri.path(), kept.collect::<Vec<_>>().join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(address).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signature_is_taken_out_of_an_address() {
        for (signed, expected) in [
            ("/b/k", "/b/k"),
            ("/b/k?versionId=1&X-Amz-Signature=ab&X-Amz-Date=x", "/b/k?versionId=1&X-Amz-Date=x"),
            ("/b/k?X-Amz-Signatur%65=ab&x=X-Amz-Signature", "/b/k?x=X-Amz-Signature"),
            ("/b/%20?X-Amz-Signature", "/b/%20?"),
        ] {
            assert_eq!(unsigned(&Uri::from_static(signed)).to_string(), expected);
        }
    }
}
