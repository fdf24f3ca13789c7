//! Requests whose head has to be changed before `s3s` parses it (`mended.rs`), although the signature covers it.
//!
//! Such a request goes through `s3s` twice. The first time it is as it came, and a route takes it as soon as its
//! signature has been verified; the second time it has what S3 would read, no signature, and the
//! [`Verified`] that the first time left. Access is decided the second time, like any other request's. A client can
//! not bring a [`Verified`] along: it is an extension, and only made here.
use super::super::access::Verified;
use super::mended::Mended;
use http::Uri;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use s3s::{Body, HttpResponse, S3Request, S3Response};

/// Parameters that hold a signature, of version 4 and 2.
const SIGNATURES: [&str; 2] = ["X-Amz-Signature", "Signature"];

/// Marks a request of which only the signature is wanted.
#[derive(Clone, Copy)]
struct VerifyOnly;

/// What is left to do once the signature has been verified.
pub(super) struct Second {
    head: Parts,
    mended: Mended,
}

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
    /// Marks `head` for the first time, and makes the second one, with what is `mended` in place of what is there.
    pub(super) fn after(head: &mut Parts, mended: Mended) -> Self {
        let mut second = head.clone();
        second.headers.remove(AUTHORIZATION);
        mended.apply(&mut second.headers);
        second.uri = unsigned(&second.uri, |name| mended.takes_out(name));
        head.extensions.insert(VerifyOnly);
        Self { head: second, mended }
    }

    /// The second request, when the answer to the first says that the signature is right.
    pub(super) fn verified(mut self, first: &HttpResponse) -> Option<(Parts, Mended)> {
        let verified = first.extensions().get::<Verified>()?;
        self.head.extensions.insert(verified.clone());
        Some((self.head, self.mended))
    }
}

/// The address without a signature in it, and without what is taken out. Should a signature be left, `s3s` would check it and refuse
/// the request.
fn unsigned(uri: &Uri, takes_out: impl Fn(&str) -> bool) -> Uri {
    let Some(query) = uri.query() else { return uri.clone() };
    let kept = query.split('&').filter(|pair| {
        let name = percent_decode_str(pair.split('=').next().unwrap_or_default()).decode_utf8_lossy();
        !SIGNATURES.contains(&&*name) && !takes_out(&name)
    });
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
            ("/b/k?AWSAccessKeyId=a&Signature=b&x=y&gone=1", "/b/k?AWSAccessKeyId=a&x=y"),
        ] {
            assert_eq!(unsigned(&Uri::from_static(signed), |name| name == "gone").to_string(), expected);
        }
    }
}
