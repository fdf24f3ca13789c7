//! `x-amz-server-side-encryption` and what belongs to it: which vault key a client asks for, whether it may, and what it is told.
//!
//! Everything is sealed in any case. A client that says nothing, or `AES256`, gets the key of the rule and is told `AES256`; one that says
//! `aws:kms` is told `aws:kms` and the key's name, then and whenever it reads the object.
use super::Gateway;
use super::open::Opened;
use super::respond::{GatewayError, custom, not_implemented};
use super::terms::unfit;
use crate::keys::Use;
use crate::policy::Plan;
use crate::seal::{VaultKey, VaultKeyId};
use s3s::dto::ServerSideEncryption;
use s3s::{S3Error, S3ErrorCode, S3Result};
use std::sync::Arc;

/// What a write asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Nothing, or `AES256`.
    #[default]
    Usual,
    /// `aws:kms`, with a key by name or without.
    Kms(Option<String>),
}

/// How an answer tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) key_id: Option<String>,
}

const KMS: &str = "aws:kms";

// === impl Encryption ===

impl Encryption {
    /// From the headers' values.
    ///
    /// # Errors
    /// As S3 answers them.
    pub(super) fn of(encryption: Option<&str>, key: Option<&str>, context: bool) -> S3Result<Self> {
        if context {
            return Err(not_implemented("An encryption context"));
        }
        match (encryption, key) {
            (Some(KMS), key) => Ok(Self::Kms(key.map(str::to_owned))),
            (_, Some(_)) => {
                let message = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
            (None | Some(ServerSideEncryption::AES256), None) => Ok(Self::Usual),
            (Some("aws:kms:dsse"), None) => Err(not_implemented("Dual-layer encryption (aws:kms:dsse)")),
            (Some("aws:fsx"), None) => Err(not_implemented("Encryption by FSx (aws:fsx)")),
            (Some(_), None) => {
                let message = "The encryption method specified is not supported";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
        }
    }

    /// Whether the object is to remember that `aws:kms` was asked for.
    pub(super) fn is_kms(&self) -> bool {
        matches!(self, Self::Kms(_))
    }

    /// The vault key that an object is sealed under: the rule's, or the one that the client asks for, where the rule lets it. The rule's
    /// own is made when it is not there yet.
    ///
    /// # Errors
    /// S3's own: `AccessDenied` for a key that the rule does not let clients ask for or that this caller may not use,
    /// `KMS.NotFoundException` for one that does not exist, and the codes of a key's state.
    pub(super) async fn key(&self, gateway: &Gateway, plan: &Plan, who: &str) -> Result<Arc<VaultKey>, GatewayError> {
        let own = plan.key.as_deref().map_err(unfit)?;
        let asked = match self {
            Self::Kms(Some(asked)) => key_name(asked)?,
            _ => own,
        };
        let id = VaultKeyId::parse(asked)?;
        if asked == own {
            let key = gateway.keyring.sealing_key(&id).await?;
            gateway.keyring.may(&id, Use::Encrypt, who)?;
            return Ok(key);
        }
        if !plan.client_keys.iter().any(|allowed| **allowed == *asked) {
            let message = format!("The rule {} does not let this key be asked for.", plan.rule);
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message).into());
        }
        gateway.keyring.may(&id, Use::Encrypt, who)?;
        Ok(gateway.keyring.for_sealing(&id)?)
    }

    /// How the answer to a write tells of it.
    pub(super) fn told(&self, gateway: &Gateway, id: &VaultKeyId) -> Told {
        if self.is_kms() { Told::kms(gateway, id) } else { Told::aes256() }
    }
}

// === impl Told ===

impl Told {
    pub(super) fn aes256() -> Self {
        Self { encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)), key_id: None }
    }

    fn kms(gateway: &Gateway, id: &VaultKeyId) -> Self {
        Self {
            encryption: Some(ServerSideEncryption::from_static(KMS)),
            key_id: Some(format!("arn:aws:kms:{}:000000000000:key/{id}", gateway.region)),
        }
    }

    /// How a read tells of it; nothing of an object that is not sealed.
    pub(super) fn of(gateway: &Gateway, opened: &Opened) -> Self {
        match opened.object.key_ref() {
            None => Self::default(),
            Some(key) if opened.metadata.kms => Self::kms(gateway, &key.id),
            Some(_) => Self::aes256(),
        }
    }
}

/// The key's name in whatever form AWS's tools write it: `NAME`, `alias/NAME`, `arn:aws:kms:...:key/NAME`.
fn key_name(asked: &str) -> S3Result<&str> {
    let resource = asked.strip_prefix("arn:").map_or(asked, |arn| arn.rsplit(':').next().unwrap_or_default());
    let name = resource.strip_prefix("key/").or_else(|| resource.strip_prefix("alias/")).unwrap_or(resource);
    if VaultKeyId::parse(name).is_ok() {
        return Ok(name);
    }
    let message = "The key id names no vault key.";
    Err(custom("KMS.NotFoundException", http::StatusCode::BAD_REQUEST, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_takes_is_taken_and_the_rest_refused_as_s3_does() {
        assert_eq!(Encryption::of(None, None, false).ok(), Some(Encryption::Usual));
        assert_eq!(Encryption::of(Some("AES256"), None, false).ok(), Some(Encryption::Usual));
        assert_eq!(Encryption::of(Some("aws:kms"), None, false).ok(), Some(Encryption::Kms(None)));
        assert_eq!(Encryption::of(Some("aws:kms"), Some("hr"), false).ok(), Some(Encryption::Kms(Some("hr".into()))));
        let code = |result: S3Result<Encryption>| result.map_err(|error| error.code().as_str().to_owned());
        assert_eq!(code(Encryption::of(Some("AES256"), Some("hr"), false)), Err("InvalidArgument".into()));
        assert_eq!(code(Encryption::of(None, Some("hr"), false)), Err("InvalidArgument".into()));
        assert_eq!(code(Encryption::of(Some("rot13"), None, false)), Err("InvalidArgument".into()));
        assert_eq!(code(Encryption::of(Some("aws:kms"), None, true)), Err("NotImplemented".into()));
        assert_eq!(code(Encryption::of(Some("aws:kms:dsse"), None, false)), Err("NotImplemented".into()));
    }

    #[test]
    fn a_key_is_named_as_the_tools_of_aws_name_keys() {
        for text in [
            "hr",
            "alias/hr",
            "key/hr",
            "arn:aws:kms:eu-1:123456789012:key/hr",
            "arn:aws:kms:hr",
            "arn:aws:kms:eu-1:1:alias/hr",
        ] {
            assert_eq!(key_name(text).ok(), Some("hr"), "{text}");
        }
        for text in ["", "HR", "arn:", "key/", "a/b"] {
            assert_eq!(key_name(text).expect_err(text).code().as_str(), "KMS.NotFoundException", "{text}");
        }
    }
}
