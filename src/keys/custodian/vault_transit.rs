//! A key of the Transit engine of HashiCorp Vault or OpenBao as custodian: `encrypt` wraps, `decrypt` opens. The key never leaves the server, whose
//! policies decide at every start and every recheck whether it may be used.
//!
//! | file | what it holds |
//! |---|---|
//! | [`api`] | one call, and what each answer means |
//! | [`login`] | the token that goes with a call |
mod api;
mod login;

use super::{Custodian, CustodianError, SecretSource, label, root_of};
use crate::keys::RootKey;
use crate::keys::envelope::Wrapped;
use crate::secret::SecretText;
use api::{Api, Fault, Question};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use login::Login;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

/// Before the one repetition of a call that was not answered: as long as a cluster commonly takes to choose another active node, nearly.
const PAUSE: Duration = Duration::from_millis(700);

/// How to reach a key. Its secrets have no `Debug`.
pub struct VaultTransitSettings {
    /// `https://HOST:PORT`, or `http://` of this machine.
    pub address: String,
    /// Where the engine is mounted, without slashes around it.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// The namespace that the mount is in.
    pub namespace: Option<String>,
    /// Who asks.
    pub login: VaultLogin,
    /// PEM bundle of extra certificate authorities.
    pub ca_pem: Option<Vec<u8>>,
}

/// Who asks Vault.
pub enum VaultLogin {
    /// Whoever has this token. Somebody else renews it.
    Token(SecretSource),
    /// An AppRole, which logs in for a token whenever it has none.
    AppRole {
        /// Where the auth method is mounted, without slashes around it.
        mount: String,
        /// The role's id.
        role_id: String,
        /// Its secret id.
        secret_id: SecretSource,
    },
}

/// The custodian.
pub(super) struct VaultTransit {
    api: Api,
    login: Login,
    mount: String,
    key: String,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: SecretText,
}

// === impl VaultTransit ===

impl VaultTransit {
    pub(super) fn new(settings: VaultTransitSettings) -> Result<Self, String> {
        let VaultTransitSettings { address, mount, key, namespace, login, ca_pem } = settings;
        let api = Api::new(&address, namespace.as_deref(), ca_pem.as_deref())?;
        Ok(Self { api, login: Login::new(login), mount, key })
    }

    /// `operation` of the engine, with this key; once more when nobody answers. `secret` is what is secret in the body.
    async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: &(impl Serialize + Sync),
        secret: &str,
    ) -> Result<T, CustodianError> {
        match self.once(operation, body, secret).await {
            Err(error) if error.is_outage() => {
                tokio::time::sleep(PAUSE).await;
                self.once(operation, body, secret).await
            }
            other => other,
        }
    }

    async fn once<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: &(impl Serialize + Sync),
        secret: &str,
    ) -> Result<T, CustodianError> {
        let path = format!("{}/{operation}/{}", self.mount, self.key);
        let token = self.login.token(&self.api).await?;
        let asked = self.api.post(Question { path: &path, token: Some(&token), body, secret }).await;
        // The time of a token that we asked for may have been over, or somebody revoked it: with another one, once.
        let asked = match asked {
            Err(Fault::Forbidden(_)) if self.login.asks_for_tokens() => {
                let token = self.login.another(&self.api, &token).await?;
                self.api.post(Question { path: &path, token: Some(&token), body, secret }).await
            }
            asked => asked,
        };
        asked.map_err(|fault| fault.about(&self.mount, &self.key))
    }
}

#[async_trait]
impl Custodian for VaultTransit {
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError> {
        let plaintext = SecretText::new(STANDARD.encode(root.0.expose()));
        let body = Encrypt { plaintext: plaintext.expose(), associated_data: &bound_to(&root.fingerprint()) };
        let answer: Answer<Encrypted> = self.call("encrypt", &body, plaintext.expose()).await?;
        Ok(Wrapped::VaultTransit { key: format!("{}/{}", self.mount, self.key), ciphertext: answer.data.ciphertext })
    }

    async fn unwrap(&self, fingerprint: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError> {
        let Wrapped::VaultTransit { ciphertext, .. } = wrapped else { return Err(CustodianError::other_kind()) };
        let body = Decrypt { ciphertext, associated_data: &bound_to(fingerprint) };
        let answer: Answer<Decrypted> = self.call("decrypt", &body, "").await?;
        let mut plain = Zeroizing::new([0u8; 48]);
        let length = STANDARD.decode_slice(answer.data.plaintext.expose(), plain.as_mut()).unwrap_or_default();
        root_of(&plain[..length])
    }
}

/// The associated data of a root.
fn bound_to(fingerprint: &str) -> String {
    STANDARD.encode(label("vault-transit", fingerprint))
}
