//! `x-amz-server-side-encryption` and what belongs to it: which vault key a client asks for, whether it may, and what it is told.
//!
//! Everything is sealed in any case. A client that says nothing, or `AES256`, gets the key of the rule and is told `AES256`; one that says
//! `aws:kms` is told `aws:kms` and the key's name, then and whenever it reads the object. One that brings a key of its own (SSE-C) is told
//! that key's MD5, then and whenever it brings it again.
use super::Gateway;
use super::customer::{ALGORITHM, Brought};
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
#[derive(Clone, Default)]
pub(super) enum Encryption {
    /// Nothing, or `AES256`.
    #[default]
    Usual,
    /// `aws:kms`, with a key by name or without.
    Kms(Option<String>),
    /// A key of the client's own, besides that of the rule.
    Customer(Brought),
}

/// How an answer tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) key_id: Option<String>,
    /// Of the client's own key.
    pub(super) customer_algorithm: Option<String>,
    pub(super) customer_md5: Option<String>,
}

const KMS: &str = "aws:kms";
const KIND: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";

// === impl Encryption ===

impl Encryption {
    /// From the headers' values.
    ///
    /// # Errors
    /// As S3 answers them.
    pub(super) fn of(
        encryption: Option<&str>,
        key: Option<&str>,
        context: bool,
        customer: Option<Brought>,
    ) -> S3Result<Self> {
        if let Some(brought) = customer {
            if encryption.is_none() && key.is_none() && !context {
                return Ok(Self::Customer(brought));
            }
            let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
        }
        if context {
            return Err(not_implemented("An encryption context"));
        }
        match (encryption, key) {
            (Some(KMS), key) => Ok(Self::Kms(key.map(str::to_owned))),
            (Some("aws:kms:dsse"), _) => Err(not_implemented("Dual-layer encryption (aws:kms:dsse)")),
            (Some("aws:fsx"), _) => Err(not_implemented("Encryption by FSx (aws:fsx)")),
            (_, Some(_)) => {
                let message = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
            (None | Some(ServerSideEncryption::AES256), None) => Ok(Self::Usual),
            (Some(_), None) => {
                let message = "The encryption method specified is not supported";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
        }
    }

    /// What the headers about encryption say of the object. (The client's own key is none of them.)
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        match (self, name) {
            (Self::Usual, KIND) => Some(ServerSideEncryption::AES256),
            (Self::Kms(_), KIND) => Some(KMS),
            (Self::Kms(key), KMS_KEY) => key.as_deref(),
            (Self::Customer(_), CUSTOMER_ALGORITHM) => Some(ALGORITHM),
            _ => None,
        }
    }

    /// Whether the object is to remember that `aws:kms` was asked for.
    pub(super) fn is_kms(&self) -> bool {
        matches!(self, Self::Kms(_))
    }

    /// The client's own key.
    pub(super) fn customer(&self) -> Option<&Brought> {
        match self {
            Self::Customer(brought) => Some(brought),
            _ => None,
        }
    }

    /// The vault key that one object is to be sealed under, counted: the rule's, or the one that the client asks for, where the rule lets it. The rule's
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
            gateway.keyring.sealing_key(&id).await?;
            gateway.keyring.may(&id, Use::Encrypt, who)?;
            return Ok(gateway.keyring.take(&id).await?);
        }
        if !plan.client_keys.iter().any(|allowed| **allowed == *asked) {
            let message = format!("The rule {} does not let this key be asked for.", plan.rule);
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message).into());
        }
        gateway.keyring.may(&id, Use::Encrypt, who)?;
        Ok(gateway.keyring.take(&id).await?)
    }

    /// How the answer to a write tells of it.
    pub(super) fn told(&self, gateway: &Gateway, id: &VaultKeyId) -> Told {
        match self {
            Self::Usual => Told::aes256(),
            Self::Kms(_) => Told::kms(gateway, id),
            Self::Customer(brought) => Told::customer(Some(brought)),
        }
    }
}

// === impl Told ===

impl Told {
    pub(super) fn aes256() -> Self {
        let encryption = Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256));
        Self { encryption, ..Self::default() }
    }

    fn kms(gateway: &Gateway, id: &VaultKeyId) -> Self {
        Self {
            encryption: Some(ServerSideEncryption::from_static(KMS)),
            key_id: Some(format!("arn:aws:kms:{}:000000000000:key/{id}", gateway.region)),
            ..Self::default()
        }
    }

    /// Of an object with a customer's key: what the client sent of it with this request.
    pub(super) fn customer(brought: Option<&Brought>) -> Self {
        Self {
            customer_algorithm: brought.map(|_| ALGORITHM.to_owned()),
            customer_md5: brought.map(|brought| brought.md5().to_owned()),
            ..Self::default()
        }
    }

    /// How a read tells of it; nothing of an object that is not sealed.
    pub(super) fn of(gateway: &Gateway, opened: &Opened, brought: Option<&Brought>) -> Self {
        match opened.object.key_ref() {
            None => Self::default(),
            Some(_) if opened.object.has_customer_key() => Self::customer(brought),
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
        let of = |encryption, key, context| Encryption::of(encryption, key, context, None);
        assert!(matches!(of(None, None, false), Ok(Encryption::Usual)));
        assert!(matches!(of(Some("AES256"), None, false), Ok(Encryption::Usual)));
        assert!(matches!(of(Some("aws:kms"), None, false), Ok(Encryption::Kms(None))));
        assert!(matches!(of(Some("aws:kms"), Some("hr"), false), Ok(Encryption::Kms(Some(key))) if key == "hr"));
        let code = |encryption, key, context| {
            of(encryption, key, context).err().map(|error| error.code().as_str().to_owned()).unwrap_or_default()
        };
        assert_eq!(code(Some("AES256"), Some("hr"), false), "InvalidArgument");
        assert_eq!(code(None, Some("hr"), false), "InvalidArgument");
        assert_eq!(code(Some("rot13"), None, false), "InvalidArgument");
        assert_eq!(code(Some("aws:kms"), None, true), "NotImplemented");
        assert_eq!(code(Some("aws:kms:dsse"), None, false), "NotImplemented");
        assert_eq!(code(Some("aws:kms:dsse"), Some("hr"), false), "NotImplemented");
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
