//! Options of a write that are not served, refused rather than dropped in silence; and those that the sites keep, passed on.
use super::customer::Brought;
use super::encryption::Encryption;
use crate::site::KEPT;
use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The options of any write that are looked at here.
#[derive(Default)]
pub(super) struct Refusable<'a> {
    pub(super) encryption: Option<&'a str>,
    /// A KMS key.
    pub(super) kms_key: Option<&'a str>,
    /// A KMS context.
    pub(super) kms_context: bool,
    /// A key of the client's own.
    pub(super) customer: Option<Brought>,
}

/// Fills a [`Refusable`] from any `s3s` input with these fields, and the client's own key.
macro_rules! refusable {
    ($input:expr, $customer:expr) => {
        $crate::gateway::refuse::Refusable {
            encryption: $input.server_side_encryption.as_ref().map(|kind| kind.as_str()),
            kms_key: $input.ssekms_key_id.as_deref(),
            kms_context: $input.ssekms_encryption_context.is_some(),
            customer: $customer,
        }
    };
}
pub(super) use refusable;

/// What the client wants the object sealed with.
pub(super) fn refuse_unsupported(options: Refusable<'_>) -> S3Result<Encryption> {
    Encryption::of(options.encryption, options.kms_key, options.kms_context, options.customer)
}

/// What the sites are to keep of an object: as the client sent it.
pub(super) fn kept(headers: &HeaderMap) -> S3Result<Vec<(&'static str, String)>> {
    passed(headers, KEPT)
}

/// Those of `headers` which are in `names`, for the sites.
pub(super) fn passed(headers: &HeaderMap, names: &[&'static str]) -> S3Result<Vec<(&'static str, String)>> {
    let mut passed = Vec::new();
    for name in names {
        let mut values = headers.get_all(*name).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else { continue };
        let text = value.to_str().ok().filter(|_| more.is_none()).ok_or_else(|| {
            let message = format!("The header {name} has no usable value.");
            S3Error::with_message(S3ErrorCode::InvalidArgument, message)
        })?;
        passed.push((*name, text.to_owned()));
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_by_default_is_accepted() {
        let usual = Refusable { encryption: Some("AES256"), ..Refusable::default() };
        assert!(refuse_unsupported(usual).is_ok());
    }

    #[test]
    fn what_would_be_dropped_in_silence_is_refused() {
        let options = Refusable { encryption: Some("aws:kms"), kms_context: true, ..Refusable::default() };
        let refused = refuse_unsupported(options).err().map(|error| error.code().as_str().to_owned());
        assert_eq!(refused.as_deref(), Some("NotImplemented"));
    }

    #[test]
    fn an_encryption_that_is_none_is_called_so() {
        for kind in ["", "aes256", "aes:kms", "AES512"] {
            let options = Refusable { encryption: Some(kind), ..Refusable::default() };
            let refused = refuse_unsupported(options).err().map(|error| error.code().as_str().to_owned());
            assert_eq!(refused.as_deref(), Some("InvalidArgument"), "{kind}");
        }
    }

    #[test]
    fn what_the_sites_keep_is_passed_on_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-amz-tagging", "a=b"), ("x-amz-meta-a", "b"), ("x-amz-acl", "private")] {
            headers.insert(name, value.parse().expect("a value"));
        }
        let expected = [("x-amz-acl", "private".to_owned()), ("x-amz-tagging", "a=b".to_owned())];
        assert_eq!(kept(&headers).expect("usable"), expected);
        headers.append("x-amz-acl", "public-read".parse().expect("a value"));
        assert!(kept(&headers).is_err(), "which of the two?");
    }
}
