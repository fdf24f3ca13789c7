//! What a rule asks of a request, looked at before a byte of its body is taken.
use super::Gateway;
use super::metadata::UserMetadata;
use crate::audit::RequestContext;
use crate::policy::{LiveRules, Plan, Unfit};
use crate::s3::{BucketName, ObjectKey, PlainLen};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// How large an object may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// The rule that says so.
    pub(super) rule: String,
    /// Bytes of plaintext; `None`: what S3 takes.
    pub(super) most: Option<u64>,
}

impl Limit {
    pub(super) fn of(plan: &Plan) -> Self {
        Self { rule: plan.rule.to_string(), most: plan.terms.max_size }
    }
}

/// Refuses what the rule does not take: a content type, a size.
pub(super) fn check_object(plan: &Plan, metadata: &UserMetadata, length: PlainLen) -> S3Result<()> {
    check_type(plan, metadata)?;
    check_size(&Limit::of(plan), length)
}

/// Refuses a content type that the rule does not take.
pub(super) fn check_type(plan: &Plan, metadata: &UserMetadata) -> S3Result<()> {
    if plan.terms.takes_type(metadata.content_type.as_deref()) {
        return Ok(());
    }
    let message = format!("Objects of this content type are not taken here (rule {}).", plan.rule);
    Err(S3Error::with_message(S3ErrorCode::AccessDenied, message))
}

/// Refuses an object that would be larger than the rule takes.
pub(super) fn check_size(Limit { rule, most }: &Limit, length: PlainLen) -> S3Result<()> {
    match most {
        Some(most) if length.0 > *most => {
            let message =
                format!("Your proposed upload exceeds the maximum allowed size of {most} bytes (rule {rule}).");
            Err(S3Error::with_message(S3ErrorCode::EntityTooLarge, message))
        }
        _ => Ok(()),
    }
}

/// Denies plain HTTP where a rule requires TLS: for an object by its own rule, for the rest of a bucket (its listings name objects) when
/// some rule of the bucket does.
pub(super) fn check_transport(
    rules: &LiveRules,
    secure: bool,
    bucket: Option<&BucketName>,
    key: Option<&ObjectKey>,
) -> S3Result<()> {
    let required = match (bucket, key) {
        _ if secure => false,
        (Some(bucket), Some(key)) => rules.plan(bucket, key).terms.require_tls,
        (Some(bucket), None) => rules.current().bucket_requires_tls(bucket),
        _ => false,
    };
    if required {
        return Err(S3Error::with_message(
            S3ErrorCode::AccessDenied,
            "Access Denied: a secure connection (TLS) is required here.",
        ));
    }
    Ok(())
}

/// Whether a request came over TLS; one of which nothing is known did not.
pub(super) fn is_secure(context: Option<&RequestContext>) -> bool {
    context.is_some_and(|context| context.with(|facts| facts.secure))
}

/// Whether nobody between us and the peer reads along: it came over TLS, or from this machine (where a proxy may stand that ends TLS).
pub(super) fn is_private(context: Option<&RequestContext>) -> bool {
    context.is_some_and(|context| context.with(|facts| facts.secure || facts.local))
}

/// A path of which its rule can make no key.
pub(super) fn unfit(unfit: &Unfit) -> S3Error {
    let Unfit { rule, capture, why } = unfit;
    let message = format!(
        "The object key does not fit the rule {rule}: what stands for {{{capture}}} names a vault key, and {why}."
    );
    S3Error::with_message(S3ErrorCode::InvalidArgument, message)
}

/// Whether the limit leaves room for a part of so many bytes beside what is there of the upload already.
pub(super) async fn check_part(
    gateway: &Gateway,
    limit: &Limit,
    upload: &str,
    number: u16,
    length: PlainLen,
) -> Result<(), super::respond::GatewayError> {
    if limit.most.is_none() {
        return Ok(());
    }
    check_size(limit, length)?;
    let others = gateway.state.length_without(upload, number).await?;
    Ok(check_size(limit, PlainLen(length.0.saturating_add(others.0)))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{MediaRange, Terms};
    use std::sync::Arc;

    fn plan(terms: Terms) -> Plan {
        Plan {
            rule: "scans".into(),
            key: Ok("k".into()),
            terms: Arc::new(terms),
            client_keys: Arc::new([]),
            by_headers: false,
        }
    }

    #[test]
    fn what_a_rule_does_not_take_is_refused_by_name() {
        let only_images =
            plan(Terms { content_types: MediaRange::parse("image/*").into_iter().collect(), ..Terms::default() });
        let of = |content_type: &str| UserMetadata {
            content_type: Some(content_type.to_owned()),
            ..UserMetadata::default()
        };
        assert!(check_object(&only_images, &of("image/png"), PlainLen(1)).is_ok());
        let error = check_object(&only_images, &of("text/html"), PlainLen(1)).expect_err("refused");
        assert_eq!(*error.code(), S3ErrorCode::AccessDenied);
        assert!(error.message().is_some_and(|text| text.contains("rule scans")));
        let small = Limit::of(&plan(Terms { max_size: Some(10), ..Terms::default() }));
        assert!(check_size(&small, PlainLen(10)).is_ok());
        assert_eq!(*check_size(&small, PlainLen(11)).expect_err("refused").code(), S3ErrorCode::EntityTooLarge);
    }
}
