//! One call of Vault's HTTP API, and what each answer means: <https://developer.hashicorp.com/vault/api-docs#http-status-codes>,
//! <https://developer.hashicorp.com/vault/api-docs/secret/transit>, <https://openbao.org/api-docs/secret/transit/>.
use crate::keys::CustodianError;
use crate::secret::SecretText;
use crate::site::{Answered, Asker};
use http::header::{HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes of the longest answer that is read.
const LONGEST: usize = 64 * 1024;
/// Characters of a reason that are shown.
const SHOWN: usize = 300;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Asked for by agents and proxies between us and Vault that are set so, against requests that a browser was talked into.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// A server.
pub(super) struct Api {
    asker: Asker,
    address: String,
    namespace: Option<HeaderValue>,
}

/// What is asked.
pub(super) struct Question<'a, B> {
    /// Below `/v1/`.
    pub(super) path: &'a str,
    /// Whoever asks.
    pub(super) token: Option<&'a SecretText>,
    pub(super) body: &'a B,
    /// What of the body nobody may see; empty when nothing is.
    pub(super) secret: &'a str,
}

/// Why there is no answer, with the server's reason.
#[derive(Debug)]
pub(super) enum Fault {
    /// It cannot be asked now.
    Silent(String),
    /// The token may not, or is none any more.
    Forbidden(String),
    /// There is no such path, or it takes no such call.
    Missing(String),
    /// It does not take what was sent.
    Bad(String),
}

/// What Vault says when it says no.
#[derive(Deserialize)]
struct Complaint {
    errors: Vec<String>,
}

// === impl Api ===

impl Api {
    pub(super) fn new(address: &str, namespace: Option<&str>, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let asker = Asker::new(ca_pem, CONNECT, ANSWER)?;
        let namespace = namespace.map(HeaderValue::from_str).transpose().map_err(|e| e.to_string())?;
        Ok(Self { asker, address: address.to_owned(), namespace })
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, question: Question<'_, impl Serialize>) -> Result<T, Fault> {
        let headers = self.headers(question.token).map_err(|_| Fault::Silent("the token is no text".to_owned()))?;
        let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
        serde_json::to_writer(&mut *body, question.body).map_err(|e| Fault::Silent(e.to_string()))?;
        let url = format!("{}/v1/{}", self.address, question.path);
        let answered = self.asker.post_json(&url, headers, body, LONGEST).await.map_err(Fault::Silent)?;
        if answered.status.is_success() {
            // Without serde's reason, which may quote what is secret.
            let no_sense = |_| Fault::Silent(format!("{}, and no answer that makes sense", answered.status));
            return serde_json::from_slice(&answered.body).map_err(no_sense);
        }
        let token = question.token.map_or("", SecretText::expose);
        Err(fault(&answered, &[token, question.secret]))
    }

    fn headers(&self, token: Option<&SecretText>) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        if let Some(token) = token {
            let mut token = HeaderValue::from_str(token.expose())?;
            token.set_sensitive(true);
            headers.insert(TOKEN, token);
        }
        Ok(headers)
    }
}

/// Only Vault itself can refuse, in its own form; whatever else answers in its place (a balancer, a firewall) says nothing about the root.
fn fault(answered: &Answered, secrets: &[&str]) -> Fault {
    let status = answered.status.as_u16();
    let Ok(Complaint { errors }) = serde_json::from_slice(&answered.body) else {
        let what = if answered.status.is_redirection() {
            "a standby that names the active node: give that one's address, or let standbys forward"
        } else {
            "something that does not speak as Vault does"
        };
        return Fault::Silent(format!("{status} from {what}"));
    };
    let said = shown(&errors.join("; "), secrets);
    let said = format!("{status}: {}", if said.is_empty() { "without a reason" } else { &said });
    match status {
        400 | 413 | 422 => Fault::Bad(said),
        401 | 403 => Fault::Forbidden(said),
        404 | 405 => Fault::Missing(said),
        // Behind in replication (412), too many requests or a standby (429), standbys and replicas (472 to 474), and the server's own troubles:
        // without its key (501), sealed (503).
        _ => Fault::Silent(said),
    }
}

/// One line of a reason, unless it repeats what it must not.
fn shown(reason: &str, secrets: &[&str]) -> String {
    if secrets.iter().any(|secret| !secret.is_empty() && reason.contains(secret)) {
        return "a reason that repeats a secret, so it is not shown".to_owned();
    }
    let line = reason.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let line: Vec<_> = line.collect();
    line.join(" ").chars().take(SHOWN).collect()
}

// === impl Fault ===

impl Fault {
    /// What it says of a key.
    pub(super) fn about(self, mount: &str, key: &str) -> CustodianError {
        match self {
            Self::Silent(said) => CustodianError::Silent(said),
            Self::Forbidden(said) => CustodianError::Refused(format!(
                "its policies do not let this token use the key, or the token is over; allow update on {mount}/encrypt/{key} and \
                 {mount}/decrypt/{key} ({said})"
            )),
            Self::Missing(said) => CustodianError::Refused(format!(
                "there is no Transit engine at {mount}; see address, namespace and mount ({said})"
            )),
            Self::Bad(said) => bad(&said, key),
        }
    }
}

/// What a 400 of the engine says is in its words only.
fn bad(said: &str, key: &str) -> CustodianError {
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if has(&["key not found", "policy not found"]) {
        return CustodianError::Refused(format!("there is no key {key}: it was deleted, or never made ({said})"));
    }
    if has(&["disallowed by policy"]) {
        return CustodianError::Refused(format!(
            "its part was wrapped by a version of {key} below min_decryption_version; lower that, or run `strongroom root rewrap` while another \
             custodian opens the root ({said})"
        ));
    }
    if has(&["message authentication failed", "invalid ciphertext", "unable to decrypt"]) {
        return CustodianError::Unusable(format!(
            "it was wrapped with another key, for another root, or is damaged; run `strongroom root rewrap` ({said})"
        ));
    }
    CustodianError::Refused(format!(
        "{key} does not take the request; it has to be of an AEAD type (aes256-gcm96), neither derived nor convergent ({said})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn judged(status: u16, body: &str) -> CustodianError {
        let status = StatusCode::from_u16(status).expect("a status");
        let answered = Answered { status, body: Zeroizing::new(body.as_bytes().to_vec()) };
        fault(&answered, &["hvs.token", "cm9vdA=="]).about("transit", "strongroom")
    }

    fn said(reason: &str) -> String {
        serde_json::json!({ "errors": [reason] }).to_string()
    }

    #[test]
    fn a_vault_that_will_not_is_told_from_one_that_cannot() {
        for (status, reason) in [
            (403, "permission denied"),
            (404, "no handler for route \"transit/decrypt/strongroom\". route entry not found."),
            (400, "encryption key not found"),
            (400, "ciphertext or signature version is disallowed by policy (too old)"),
            (400, "'[0].associated_data' provided for non-AEAD cipher suite rsa-2048"),
            (405, "unsupported operation"),
        ] {
            let error = judged(status, &said(reason));
            assert!(matches!(error, CustodianError::Refused(_)) && error.to_string().contains(reason), "{error}");
        }
        for (status, reason) in [
            (503, "Vault is sealed"),
            (500, "internal error"),
            (501, "not initialized"),
            (502, "upstream"),
            (412, "required index state not present"),
            (429, "request path: rate limit quota exceeded"),
            (472, ""),
            (473, ""),
        ] {
            assert!(judged(status, &said(reason)).is_outage(), "{status}");
        }
        for reason in ["cipher: message authentication failed", "invalid ciphertext: no prefix"] {
            assert!(matches!(judged(400, &said(reason)), CustodianError::Unusable(_)), "{reason}");
        }
    }

    #[test]
    fn what_is_not_vault_refuses_nothing() {
        for (status, body) in [(403, "<html>"), (400, "Client sent an HTTP request to an HTTPS server."), (307, "")] {
            assert!(judged(status, body).is_outage(), "{status}");
        }
    }

    #[test]
    fn a_reason_is_one_short_line_and_repeats_no_secret() {
        for secret in ["hvs.token", "cm9vdA=="] {
            let error = judged(403, &said(&format!("no {secret} here"))).to_string();
            assert!(!error.contains(secret) && error.contains("not shown"), "{error}");
        }
        let error = judged(403, &said("1 error occurred:\n\t* permission denied\n\n")).to_string();
        assert!(error.contains("1 error occurred: * permission denied)"), "{error}");
        assert!(judged(403, &said(&"x".repeat(9999))).to_string().len() < 600);
    }
}
