//! What can go wrong at a site, in the terms the gateway decides by.
use super::SiteName;

/// What went wrong at a site.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// The site answered with an S3 error.
    #[error("site {site}: {code} ({status}): {message}")]
    S3 {
        /// Which site.
        site: SiteName,
        /// HTTP status.
        status: u16,
        /// S3's error code, for example `NoSuchKey`.
        code: String,
        /// The site's words.
        message: String,
    },
    /// What was asked for is a delete marker: 404 where the current version was meant, 405 where the marker itself was named.
    #[error("site {site}: a delete marker ({status})")]
    DeleteMarker {
        /// Which site.
        site: SiteName,
        /// HTTP status.
        status: u16,
        /// The marker's version id.
        version_id: Option<String>,
    },
    /// No connection, or it broke, or it was silent for too long. The request may or may not have had effect.
    #[error("site {site} is unreachable: {detail}")]
    Unreachable {
        /// Which site.
        site: SiteName,
        /// Why.
        detail: String,
    },
    /// The site answered something that is not S3.
    #[error("site {site} answered nonsense: {detail}")]
    Protocol {
        /// Which site.
        site: SiteName,
        /// What.
        detail: String,
    },
    /// The site cannot do this (found by the probe).
    #[error("site {site} does not support {what}")]
    Unsupported {
        /// Which site.
        site: SiteName,
        /// The missing ability.
        what: &'static str,
    },
    /// Not asked yet, because the rule says so.
    #[error("site {site} gets it later, as the rule says")]
    Later {
        /// Which site.
        site: SiteName,
    },
    /// Our own side broke the request off (client gone, checksum mismatch).
    #[error("the write was broken off")]
    Aborted,
}

// === impl SiteError ===

impl SiteError {
    /// 404 NoSuchKey / NoSuchBucket / NoSuchUpload.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::S3 { status: 404, .. } | Self::DeleteMarker { status: 404, .. })
    }
    /// 412.
    pub fn is_precondition_failed(&self) -> bool {
        matches!(self, Self::S3 { status: 412, .. })
    }
    /// Unreachable, or a 5xx: another site may serve, a later try may succeed.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Protocol { .. } => true,
            // 501 NotImplemented is an answer, not an outage.
            Self::S3 { status, .. } => *status >= 500 && *status != 501,
            _ => false,
        }
    }

    /// The class under which the observer counts it.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::S3 { status, .. } if *status >= 500 => "5xx",
            Self::S3 { .. } | Self::DeleteMarker { .. } | Self::Unsupported { .. } => "4xx",
            Self::Unreachable { .. } => "unreachable",
            Self::Protocol { .. } => "5xx",
            Self::Aborted | Self::Later { .. } => "aborted",
        }
    }

    /// The site's words with the buckets' logical names.
    pub(super) fn without_prefix(self, prefix: &str) -> Self {
        match self {
            Self::S3 { site, status, code, message } if !prefix.is_empty() => {
                Self::S3 { site, status, code, message: message.replace(prefix, "") }
            }
            other => other,
        }
    }

    /// An error answer with the body S3 sends
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>); without a usable body the
    /// code is derived from the status.
    pub(super) fn from_answer(site: &SiteName, status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let code = element(&text, "Code").unwrap_or_else(|| code_of_status(status).to_owned());
        let message = element(&text, "Message").unwrap_or_else(|| without_words(status));
        Self::S3 { site: site.clone(), status, code, message }
    }
}

/// The message of an error for which the site had no words (Ceph, mostly).
pub fn without_words(status: u16) -> String {
    format!("HTTP status {status}")
}

/// The S3 code that a status without a body stands for.
pub(super) fn code_of_status(status: u16) -> &'static str {
    match status {
        304 => "NotModified",
        400 => "BadRequest",
        403 => "AccessDenied",
        404 => "NoSuchKey",
        405 => "MethodNotAllowed",
        409 => "OperationAborted",
        411 => "MissingContentLength",
        412 => "PreconditionFailed",
        416 => "InvalidRange",
        501 => "NotImplemented",
        503 => "ServiceUnavailable",
        500.. => "InternalError",
        _ => "InvalidRequest",
    }
}

/// Every link of an error's chain in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line
}

/// The text of the first `<name>` element, entities resolved. S3's error bodies are flat, so this is enough.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    let text = text.replace("&amp;", "&");
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteName {
        SiteName("s".into())
    }

    #[test]
    fn code_and_message_come_from_the_body() {
        let xml = b"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>";
        let SiteError::S3 { status, code, message, .. } = SiteError::from_answer(&site(), 404, xml) else {
            panic!("an S3 error");
        };
        assert_eq!((status, code.as_str(), message.as_str()), (404, "NoSuchKey", "a & b"));
    }

    #[test]
    fn without_a_body_the_status_decides() {
        for (status, expected) in [(412, "PreconditionFailed"), (416, "InvalidRange"), (502, "InternalError")] {
            let SiteError::S3 { code, .. } = SiteError::from_answer(&site(), status, b"<html>no</html>") else {
                panic!("an S3 error");
            };
            assert_eq!(code, expected);
        }
    }

    #[test]
    fn an_outage_is_what_another_site_or_a_later_try_may_cure() {
        let s3 = |status| SiteError::from_answer(&site(), status, b"");
        assert!(s3(500).is_outage() && s3(503).is_outage());
        assert!(!s3(404).is_outage() && !s3(501).is_outage() && !SiteError::Aborted.is_outage());
        assert!(SiteError::Unreachable { site: site(), detail: String::new() }.is_outage());
        assert!(s3(404).is_not_found() && s3(412).is_precondition_failed());
    }
}
