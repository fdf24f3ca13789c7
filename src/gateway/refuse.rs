//! Options of a write that are not served yet, refused rather than dropped in silence.
use super::respond::not_implemented;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The options of any write that are looked at here.
#[derive(Default)]
pub(super) struct Refusable<'a> {
    pub(super) acl: Option<&'a str>,
    pub(super) storage_class: Option<&'a str>,
    pub(super) encryption: Option<&'a str>,
    /// Any `x-amz-grant-*`.
    pub(super) grants: bool,
    /// Any SSE-C header.
    pub(super) customer_key: bool,
    pub(super) tagging: bool,
    pub(super) object_lock: bool,
}

/// Fills a [`Refusable`] from any `s3s` input with these fields.
macro_rules! refusable {
    ($input:expr) => {
        $crate::gateway::refuse::Refusable {
            acl: $input.acl.as_ref().map(|acl| acl.as_str()),
            storage_class: $input.storage_class.as_ref().map(|class| class.as_str()),
            encryption: $input.server_side_encryption.as_ref().map(|kind| kind.as_str()),
            grants: $input.grant_full_control.is_some()
                || $input.grant_read.is_some()
                || $input.grant_read_acp.is_some()
                || $input.grant_write_acp.is_some(),
            customer_key: $input.sse_customer_algorithm.is_some() || $input.sse_customer_key.is_some(),
            tagging: $input.tagging.is_some(),
            object_lock: $input.object_lock_mode.is_some()
                || $input.object_lock_legal_hold_status.is_some()
                || $input.object_lock_retain_until_date.is_some(),
        }
    };
}
pub(super) use refusable;

/// What clients send by default is accepted: `private`, `STANDARD`, `AES256`.
pub(super) fn refuse_unsupported(options: &Refusable<'_>) -> S3Result<()> {
    if options.customer_key {
        return Err(not_implemented("Server-side encryption with customer-provided keys (SSE-C)"));
    }
    if options.encryption.is_some_and(|kind| kind != "AES256") {
        return Err(not_implemented("Server-side encryption other than AES256"));
    }
    if options.tagging {
        return Err(not_implemented("Tagging"));
    }
    if options.object_lock {
        return Err(not_implemented("Object lock"));
    }
    if options.grants || options.acl.is_some_and(|acl| !["private", "bucket-owner-full-control"].contains(&acl)) {
        return Err(S3Error::with_message(
            S3ErrorCode::AccessControlListNotSupported,
            "Only the private ACL is supported.",
        ));
    }
    if options.storage_class.is_some_and(|class| class != "STANDARD") {
        return Err(S3Error::new(S3ErrorCode::InvalidStorageClass));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_by_default_is_accepted() {
        let usual = Refusable {
            acl: Some("private"),
            storage_class: Some("STANDARD"),
            encryption: Some("AES256"),
            ..Refusable::default()
        };
        assert!(refuse_unsupported(&usual).is_ok());
    }

    #[test]
    fn what_would_be_dropped_in_silence_is_refused() {
        let refused = [
            (Refusable { acl: Some("public-read"), ..Refusable::default() }, "AccessControlListNotSupported"),
            (Refusable { grants: true, ..Refusable::default() }, "AccessControlListNotSupported"),
            (Refusable { storage_class: Some("GLACIER"), ..Refusable::default() }, "InvalidStorageClass"),
            (Refusable { encryption: Some("aws:kms"), ..Refusable::default() }, "NotImplemented"),
            (Refusable { customer_key: true, ..Refusable::default() }, "NotImplemented"),
            (Refusable { tagging: true, ..Refusable::default() }, "NotImplemented"),
            (Refusable { object_lock: true, ..Refusable::default() }, "NotImplemented"),
        ];
        for (options, code) in refused {
            assert_eq!(refuse_unsupported(&options).expect_err("refused").code().as_str(), code);
        }
    }
}
