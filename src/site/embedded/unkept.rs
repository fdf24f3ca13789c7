//! What an embedded site does not keep is refused, not dropped in silence: tags, grants, locks, storage classes.
use s3s::dto::{CreateBucketInput, CreateMultipartUploadInput, PutObjectInput};
use s3s::{S3Error, S3Result, s3_error};

const GRANTS: &str = "grants";

/// Any `s3s` input with these fields.
macro_rules! refuse_unkept {
    ($input:expr) => {
        $crate::site::embedded::unkept::refuse(
            [
                ($input.tagging.is_some(), "tags"),
                ($input.object_lock_mode.is_some(), "object lock"),
                ($input.object_lock_legal_hold_status.is_some(), "object lock"),
                ($input.object_lock_retain_until_date.is_some(), "object lock"),
                ($input.grant_full_control.is_some(), GRANTS),
                ($input.grant_read.is_some(), GRANTS),
                ($input.grant_read_acp.is_some(), GRANTS),
                ($input.grant_write_acp.is_some(), GRANTS),
            ],
            $input.acl.as_ref().map(|acl| acl.as_str()),
            $input.storage_class.as_ref().map(|class| class.as_str()),
        )
    };
}

/// Of a PutObject.
pub(super) fn of_put(input: &PutObjectInput) -> S3Result<()> {
    refuse_unkept!(input)
}

/// Of a CreateMultipartUpload.
pub(super) fn of_upload(input: &CreateMultipartUploadInput) -> S3Result<()> {
    refuse_unkept!(input)
}

/// Of a CreateBucket.
pub(super) fn of_bucket(input: &CreateBucketInput) -> S3Result<()> {
    let given = [
        (input.object_lock_enabled_for_bucket == Some(true), "object lock"),
        (input.grant_full_control.is_some(), GRANTS),
        (input.grant_read.is_some(), GRANTS),
        (input.grant_read_acp.is_some(), GRANTS),
        (input.grant_write.is_some(), GRANTS),
        (input.grant_write_acp.is_some(), GRANTS),
        (false, ""),
        (false, ""),
    ];
    refuse(given, input.acl.as_ref().map(|acl| acl.as_str()), None)
}

fn refuse(given: [(bool, &str); 8], acl: Option<&str>, class: Option<&str>) -> S3Result<()> {
    match given.into_iter().find(|(given, _)| *given) {
        Some((_, GRANTS)) => return Err(private_only()),
        Some((_, what)) => return Err(s3_error!(NotImplemented, "this site keeps no {}", what)),
        None => {}
    }
    if acl.is_some_and(|acl| !["private", "bucket-owner-full-control"].contains(&acl)) {
        return Err(private_only());
    }
    if class.is_some_and(|class| class != "STANDARD") {
        return Err(s3_error!(InvalidStorageClass));
    }
    Ok(())
}

fn private_only() -> S3Error {
    s3_error!(AccessControlListNotSupported, "this site knows private objects only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_by_default_is_taken_and_the_rest_refused() {
        let none = [(false, ""); 8];
        assert!(refuse(none, Some("private"), Some("STANDARD")).is_ok());
        let mut tags = none;
        tags[0] = (true, "tags");
        let code = |result: S3Result<()>| result.err().map(|error| error.code().as_str().to_owned());
        assert_eq!(code(refuse(tags, None, None)).as_deref(), Some("NotImplemented"));
        assert_eq!(code(refuse(none, Some("public-read"), None)).as_deref(), Some("AccessControlListNotSupported"));
        assert_eq!(code(refuse(none, None, Some("GLACIER"))).as_deref(), Some("InvalidStorageClass"));
    }
}
