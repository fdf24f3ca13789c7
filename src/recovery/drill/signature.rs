//! The signature of a report: Ed25519 (RFC 8032) over `"strongroom drill report v1\n"` and the report as compact JSON.
use super::report::{FORMAT, Report};
use crate::secret::SecretBytes;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

const DOMAIN: &[u8] = b"strongroom drill report v1\n";

/// The key that signs. No `Debug`.
pub struct SigningKey(Ed25519KeyPair);

/// A report with its signature, as it lies in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The report, as JSON: what the signature is over.
    report: serde_json::Value,
    signature: Signature,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Signature {
    algorithm: String,
    /// Hex.
    public_key: String,
    /// Hex.
    value: String,
}

/// Why a report is not to be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The seed makes no key.
    #[error("the signing key is unusable")]
    Key,
    /// Not JSON, or not of this form.
    #[error("it is no report of a drill: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A form that this build does not know.
    #[error("it has a form that this version does not know")]
    Format,
    /// Changed, or signed by somebody else.
    #[error("the signature does not fit: the report was changed after it was signed")]
    Changed,
    /// A good signature of a stranger.
    #[error("it is signed with the key {0}, which is not the expected one")]
    Stranger(String),
}

// === impl SigningKey ===

impl SigningKey {
    /// From 32 secret bytes.
    ///
    /// # Errors
    /// [`SignatureError::Key`].
    pub fn from_seed(seed: &SecretBytes<32>) -> Result<Self, SignatureError> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).map(Self).map_err(|_| SignatureError::Key)
    }

    /// The public key in hex: what the reader of a report has to know.
    pub fn public_key(&self) -> String {
        hex::encode(self.0.public_key().as_ref())
    }

    /// Signs.
    ///
    /// # Errors
    /// When the report makes no JSON.
    pub fn sign(&self, report: &Report) -> Result<Signed, SignatureError> {
        let report = serde_json::to_value(report)?;
        let value = hex::encode(self.0.sign(&message(&report)?).as_ref());
        let signature = Signature { algorithm: "Ed25519".to_owned(), public_key: self.public_key(), value };
        Ok(Signed { report, signature })
    }
}

// === impl Signed ===

impl Signed {
    /// Out of a file's text. Nothing is checked yet.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, SignatureError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// A file's text.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for what makes no JSON.
    pub fn text(&self) -> Result<String, SignatureError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The public key that the report says it is signed with, hex.
    pub fn public_key(&self) -> &str {
        &self.signature.public_key
    }

    /// Checks the signature, against `expected` (hex) where it is known, and gives out the report.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify(&self, expected: Option<&str>) -> Result<Report, SignatureError> {
        let named = &self.signature.public_key;
        if let Some(expected) = expected
            && !expected.trim().eq_ignore_ascii_case(named)
        {
            return Err(SignatureError::Stranger(named.clone()));
        }
        let bytes = |text: &str| hex::decode(text).map_err(|_| SignatureError::Changed);
        let key = UnparsedPublicKey::new(&ED25519, bytes(named)?);
        let message = message(&self.report)?;
        key.verify(&message, &bytes(&self.signature.value)?).map_err(|_| SignatureError::Changed)?;
        let report: Report = serde_json::from_value(self.report.clone())?;
        if report.format == FORMAT { Ok(report) } else { Err(SignatureError::Format) }
    }
}

fn message(report: &serde_json::Value) -> Result<Vec<u8>, SignatureError> {
    Ok([DOMAIN, &serde_json::to_vec(report)?].concat())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::report::{Held, Isolation, Measure, Sample, Sampled};
    use super::*;

    pub(in super::super) fn report() -> Report {
        let objects = vec![
            Sampled {
                bucket: "docs".into(),
                key: "a/<b>&.pdf".into(),
                bytes: 17,
                content_not_checked: false,
                problem: None,
            },
            Sampled {
                bucket: "docs".into(),
                key: "c".into(),
                bytes: 0,
                content_not_checked: false,
                problem: Some("damaged".into()),
            },
        ];
        Report {
            format: FORMAT,
            passed: false,
            started: "2026-11-25T19:00:00Z".into(),
            ended: "2026-11-25T19:00:05Z".into(),
            ended_at: 1_795_633_205,
            program: "0.1.0".into(),
            isolation: Isolation {
                site: "backup".into(),
                endpoint: "http://127.0.0.1:9020".into(),
                withheld: vec!["primary".into()],
                connections: vec!["127.0.0.1:9020".into()],
                attempts: vec![],
                environment: vec![],
                root_key: "0123456789abcdef".into(),
            },
            held: Held { buckets: vec!["docs".into()], objects: 2, sealed_bytes: 1_400, newest: 1 },
            sample: Sample { asked: 2, seed: 7, objects, plain_bytes: 17, milliseconds: 40 },
            manifest: None,
            rpo: Measure { seconds: 4, basis: "age".into() },
            rto: Measure { seconds: 1, basis: "speed".into() },
        }
    }

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&SecretBytes::new([byte; 32])).expect("a key")
    }

    #[test]
    fn a_report_is_read_back_as_it_was_signed() {
        let signed = key(1).sign(&report()).expect("signed");
        let read = Signed::parse(signed.text().expect("a text").as_bytes()).expect("it parses");
        assert_eq!(read.verify(None).expect("it verifies"), report());
        assert_eq!(read.verify(Some(&key(1).public_key())).expect("it verifies"), report());
    }

    #[test]
    fn a_changed_word_or_a_stranger_is_noticed() {
        let text = key(1).sign(&report()).expect("signed").text().expect("a text");
        for (from, to) in [("\"passed\": false", "\"passed\": true"), ("\"seed\": 7", "\"seed\": 8")] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let result = Signed::parse(changed.as_bytes()).expect("it parses").verify(None);
            assert!(matches!(result, Err(SignatureError::Changed)), "{from}");
        }
        let read = Signed::parse(text.as_bytes()).expect("it parses");
        assert!(matches!(read.verify(Some(&key(2).public_key())), Err(SignatureError::Stranger(_))));
        let forged = text.replace(&key(1).public_key(), &key(2).public_key());
        assert!(Signed::parse(forged.as_bytes()).expect("it parses").verify(None).is_err());
    }
}
