//! A key in AWS KMS (or what speaks its protocol) as custodian: `Encrypt` wraps, `Decrypt` opens. The key never leaves the KMS, and the KMS
//! decides at every start and every recheck whether it may be used.
use super::{Custodian, CustodianError, root_of};
use crate::keys::RootKey;
use crate::keys::envelope::Wrapped;
use crate::secret::SecretText;
use crate::site::{SdkHttp, chain};
use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use zeroize::Zeroizing;

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);
const ALL_TRIES: Duration = Duration::from_secs(20);

/// How to reach a key. The secret has no `Debug`.
pub struct AwsKmsSettings {
    /// The key's id, ARN or alias.
    pub key_id: String,
    /// Its region.
    pub region: String,
    /// Where the KMS is, when it is not AWS's own of that region: `https://HOST[:PORT]`.
    pub endpoint: Option<String>,
    /// Access key id of a credential that may do `kms:Encrypt` and `kms:Decrypt` with the key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretText,
    /// PEM bundle of extra certificate authorities.
    pub ca_pem: Option<Vec<u8>>,
}

/// The custodian.
pub(super) struct AwsKms {
    client: Client,
    key_id: String,
}

// === impl AwsKms ===

impl AwsKms {
    pub(super) fn new(settings: AwsKmsSettings) -> Result<Self, String> {
        let secret = settings.secret_access_key.expose();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            .operation_attempt_timeout(CONNECT + ANSWER)
            .operation_timeout(ALL_TRIES)
            .build();
        let mut config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(SdkHttp::new(settings.ca_pem.as_deref(), CONNECT, ANSWER)?)
            .region(Region::new(settings.region))
            .credentials_provider(Credentials::new(settings.access_key_id, secret, None, None, "strongroom"))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(timeouts);
        config.set_endpoint_url(settings.endpoint);
        Ok(Self { client: Client::from_conf(config.build()), key_id: settings.key_id })
    }
}

#[async_trait]
impl Custodian for AwsKms {
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError> {
        let mut call = self.client.encrypt().key_id(&self.key_id).plaintext(Blob::new(root.0.expose().as_slice()));
        for (name, value) in context(&root.fingerprint()) {
            call = call.encryption_context(name, value);
        }
        let answer = call.send().await.map_err(|error| reason(&error))?;
        let ciphertext = answer.ciphertext_blob().ok_or_else(|| silent("it answered without a ciphertext"))?;
        let key = answer.key_id().unwrap_or(&self.key_id).to_owned();
        Ok(Wrapped::AwsKms { key, ciphertext: STANDARD.encode(ciphertext.as_ref()) })
    }

    async fn unwrap(&self, fingerprint: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError> {
        let Wrapped::AwsKms { ciphertext, .. } = wrapped else { return Err(CustodianError::other_kind()) };
        let damaged = |_| CustodianError::Unusable("damaged: no base64".to_owned());
        let ciphertext = STANDARD.decode(ciphertext).map_err(damaged)?;
        // The key is named by us: a ciphertext of another one is refused by the KMS.
        let mut call = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(ciphertext));
        for (name, value) in context(fingerprint) {
            call = call.encryption_context(name, value);
        }
        let mut answer = call.send().await.map_err(|error| reason(&error))?;
        let plain = answer.plaintext.take().ok_or_else(|| silent("it answered without a plaintext"))?;
        let plain = Zeroizing::new(plain.into_inner());
        root_of(&plain)
    }
}

/// What the KMS binds the ciphertext to, and writes into its own log.
fn context(fingerprint: &str) -> [(&'static str, &str); 2] {
    [("strongroom", "root"), ("fingerprint", fingerprint)]
}

fn silent(what: &str) -> CustodianError {
    CustodianError::Silent(what.to_owned())
}

/// What an error of the KMS means, and what to do about it.
fn reason<E, R>(error: &SdkError<E, R>) -> CustodianError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let SdkError::ServiceError(answer) = error else { return CustodianError::Silent(chain(error)) };
    let code = answer.err().meta().code().unwrap_or_default();
    let said = answer.err().meta().message().unwrap_or("without a reason");
    verdict(code, said)
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors> and the errors that all actions have.
fn verdict(code: &str, said: &str) -> CustodianError {
    let refused = |what: &str| CustodianError::Refused(format!("{what} ({code}: {said})"));
    match code {
        "DisabledException" => {
            refused("its key is disabled; enable it (kms:EnableKey), or let another custodian open the root")
        }
        "KMSInvalidStateException" => refused(
            "its key is pending deletion, or in another state that lets nobody use it; cancel the deletion and enable it (kms:CancelKeyDeletion)",
        ),
        "AccessDeniedException" => refused(
            "its key's policy or the credential's does not let this credential use it; allow kms:Encrypt and kms:Decrypt",
        ),
        "NotFoundException" => refused("there is no such key; see key_id, region and endpoint"),
        "InvalidCiphertextException" | "IncorrectKeyException" => CustodianError::Unusable(format!(
            "it was wrapped with another key, for another root, or is damaged; run `strongroom root rewrap` ({code}: {said})"
        )),
        "KeyUnavailableException"
        | "DependencyTimeoutException"
        | "KMSInternalException"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ThrottlingException"
        | "LimitExceededException"
        | "RequestExpired"
        | "" => CustodianError::Silent(format!("{code}: {said}")),
        _ => refused("the KMS does not take the request; see access_key_id and its secret"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;

    #[test]
    fn a_kms_that_will_not_is_told_from_one_that_cannot() {
        for code in [
            "DisabledException",
            "KMSInvalidStateException",
            "AccessDeniedException",
            "NotFoundException",
            "UnrecognizedClientException",
        ] {
            assert!(matches!(verdict(code, "x"), CustodianError::Refused(_)), "{code}");
        }
        for code in
            ["KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ThrottlingException", ""]
        {
            assert!(verdict(code, "x").is_outage(), "{code}");
        }
        for code in ["InvalidCiphertextException", "IncorrectKeyException"] {
            assert!(matches!(verdict(code, "x"), CustodianError::Unusable(_)), "{code}");
        }
    }

    #[tokio::test]
    async fn a_kms_that_is_not_there_is_an_outage() {
        let settings = AwsKmsSettings {
            key_id: "alias/strongroom".to_owned(),
            region: "eu-central-1".to_owned(),
            // Nothing listens on the port that is for discarding.
            endpoint: Some("http://127.0.0.1:9".to_owned()),
            access_key_id: "AK".to_owned(),
            secret_access_key: SecretText::new("secret".to_owned()),
            ca_pem: None,
        };
        let kms = AwsKms::new(settings).unwrap_or_else(|e| panic!("{e}"));
        let wrapped = kms.wrap(&RootKey(SecretBytes::new([7; 32]))).await;
        assert!(wrapped.as_ref().is_err_and(CustodianError::is_outage), "{wrapped:?}");
    }
}
