//! One object: the request to the proxy, and what its answer means.
use crate::s3::rewrap::{FATE, Fate, MOVED, ONLY, WISH, Wish};
use crate::s3::{BucketName, ObjectKey};
use crate::seal::VaultKeyId;
use crate::site::{Forward, Forwarded, Location, Site, SiteError, copy_source};
use bytes::Bytes;
use http::Method;

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What the proxy did, and the bytes that this took.
    Told { fate: Fate, bytes: u64 },
    /// It is not sealed.
    Plain,
    /// A client wrote or deleted it meanwhile.
    Changed,
    /// The primary ignores conditions: nothing can be moved there.
    Unconditional,
    /// And why.
    Failed(String),
}

// === impl Found ===

impl Found {
    /// Whether the proxy told this.
    pub(super) fn is(&self, wanted: Fate) -> bool {
        matches!(self, Self::Told { fate, .. } if *fate == wanted)
    }

    /// Why the object was left although it should not have been.
    pub(super) fn why(&self) -> Option<String> {
        match self {
            Self::Told { fate: Fate::Behind, .. } => {
                Some("left for later: a site has not got what the primary has".to_owned())
            }
            Self::Changed => Some("changed meanwhile".to_owned()),
            Self::Failed(why) => Some(format!("failed: {why}")),
            _ => None,
        }
    }

    fn of(answer: Result<Forwarded, SiteError>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Self::of_error(&error),
        };
        let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        match (text(FATE).and_then(Fate::of), text(MOVED).and_then(|bytes| bytes.parse().ok())) {
            (Some(fate), Some(bytes)) => Self::Told { fate, bytes },
            // Not our proxy, or an older one: what it did was an ordinary copy.
            _ => Self::Failed("what answers is no proxy that can rewrap".to_owned()),
        }
    }

    fn of_error(error: &SiteError) -> Self {
        match error {
            SiteError::S3 { code, message, .. } if code == "InvalidObjectState" && message.contains("not sealed") => {
                Self::Plain
            }
            SiteError::S3 { code, message, .. } if code == "NotImplemented" && message.starts_with("If-Match") => {
                Self::Unconditional
            }
            SiteError::S3 { status: 404 | 412, .. } | SiteError::DeleteMarker { .. } => Self::Changed,
            SiteError::S3 { status: 409, code, .. } if code == "ConditionalRequestConflict" => Self::Changed,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Asks the proxy.
pub(super) async fn ask(
    proxy: &Site,
    bucket: &BucketName,
    key: &str,
    version: Option<&str>,
    wish: Wish,
    only: Option<&VaultKeyId>,
) -> Found {
    let key = match ObjectKey::parse(key) {
        Ok(key) => key,
        Err(error) => return Found::Failed(error.to_string()),
    };
    let at = Location { bucket: bucket.clone(), key };
    let source = copy_source(&at);
    let source = version.map_or_else(|| source.clone(), |version| format!("{source}?versionId={version}"));
    let mut headers = vec![("x-amz-copy-source", source), (WISH, wish.name().to_owned())];
    headers.extend(only.map(|only| (ONLY, only.as_str().to_owned())));
    let Location { bucket, key } = at;
    let body = Bytes::new();
    Found::of(
        proxy.forward(&Forward { method: Method::PUT, bucket, key: Some(key), query: Vec::new(), headers, body }).await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::SiteName;
    use http::{HeaderMap, HeaderValue};

    fn error(status: u16, code: &str, message: &str) -> Found {
        let site = SiteName("proxy".into());
        Found::of(Err(SiteError::S3 { site, status, code: code.to_owned(), message: message.to_owned() }))
    }

    #[test]
    fn an_answer_that_says_nothing_of_rewrapping_is_no_success() {
        let answer = |headers: &[(&'static str, &'static str)]| {
            let headers: HeaderMap =
                headers.iter().map(|(n, v)| (n.parse().expect("a name"), HeaderValue::from_static(v))).collect();
            Found::of(Ok(Forwarded { status: 200, headers, body: Bytes::new() }))
        };
        assert_eq!(answer(&[(FATE, "done"), (MOVED, "12")]), Found::Told { fate: Fate::Done, bytes: 12 });
        for headers in [vec![], vec![(FATE, "done")], vec![(FATE, "odd"), (MOVED, "12")]] {
            assert!(matches!(answer(&headers), Found::Failed(_)), "{headers:?}");
        }
    }

    #[test]
    fn a_clients_write_is_no_failure_and_a_key_that_is_out_of_use_is() {
        assert_eq!(error(412, "PreconditionFailed", ""), Found::Changed);
        assert_eq!(error(404, "NoSuchKey", ""), Found::Changed);
        assert_eq!(error(409, "ConditionalRequestConflict", ""), Found::Changed);
        assert_eq!(
            error(403, "InvalidObjectState", "The object in storage is not sealed by Strongroom."),
            Found::Plain
        );
        assert_eq!(error(501, "NotImplemented", "If-Match on writes"), Found::Unconditional);
        let disabled = error(400, "KMS.DisabledException", "The vault key is disabled.");
        assert!(disabled.why().is_some_and(|why| why.contains("The vault key is disabled.")), "{disabled:?}");
        assert!(matches!(error(500, "InternalError", ""), Found::Failed(_)));
    }
}
