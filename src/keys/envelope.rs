//! A root envelope: a file that holds one root key, wrapped for one or more custodians. Any one of them opens it.
//!
//! It is no secret by itself, and is kept like one: whoever could change it could keep the proxies from starting. What it says of itself is
//! not believed: the root that comes out must have the fingerprint that stands in it, and the keyring must open with that root.
use super::custodian::{Cost, CustodianError};
use super::{KeyError, RootKey, private};
use crate::clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use time::format_description::well_known::Rfc3339;

/// The only format there is.
const FORMAT: u32 = 1;
/// More is no envelope.
const LIMIT: u64 = 256 * 1024;
/// Hex digits of a fingerprint.
const FINGERPRINT: usize = 16;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Format of the file.
    strongroom_root_envelope: u32,
    /// Of the root ([`RootKey::fingerprint`]).
    fingerprint: String,
    /// One for each custodian, at least one.
    pub(super) wraps: Vec<Wrap>,
}

/// The root, wrapped for one custodian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrap {
    /// The custodian's name.
    pub(super) custodian: String,
    /// When it was made, RFC 3339.
    pub(super) made: String,
    /// What the custodian gets.
    pub(super) wrapped: Wrapped,
}

/// A wrapped root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wrapped {
    /// Sealed under a key that Argon2id makes of a passphrase.
    Passphrase {
        /// How much work that is.
        argon2id: Cost,
        /// 32 hex digits.
        salt: String,
        /// A sealed blob (`docs/FORMAT.md`), base64.
        sealed: String,
    },
    /// Encrypted by a key of AWS KMS.
    AwsKms {
        /// The key, as the KMS names it. For people: which key is asked says the configuration.
        key: String,
        /// The KMS's ciphertext, base64.
        ciphertext: String,
    },
    /// Encrypted by a key of the Transit engine of Vault or OpenBao.
    VaultTransit {
        /// `MOUNT/KEY`. For people: which key is asked says the configuration.
        key: String,
        /// The engine's ciphertext, as it gave it: `vault:vVERSION:BASE64`.
        ciphertext: String,
    },
    /// Encrypted by an AES key in a PKCS#11 token, with `CKM_AES_GCM`.
    Pkcs11 {
        /// The token's label. For people, as the key: which of them is asked says the configuration.
        token: String,
        /// The key's label or id.
        key: String,
        /// The initialisation vector, 24 hex digits.
        iv: String,
        /// 32 bytes and the tag, base64.
        sealed: String,
    },
    /// A root key file, encrypted for a recipient of `age`.
    Recipient {
        /// The recipient.
        recipient: String,
        /// The encrypted file, armored.
        age: String,
    },
}

// === impl Envelope ===

impl Envelope {
    pub(super) fn new(root: &RootKey, wraps: Vec<Wrap>) -> Self {
        Self { strongroom_root_envelope: FORMAT, fingerprint: root.fingerprint(), wraps }
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`KeyError::Root`] when it is missing, one that others may read or write, or anything but an envelope.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = private::read(path, LIMIT, "`strongroom root rewrap --config FILE --from ROOT-KEY` makes one")
            .map_err(KeyError::Root)?;
        Self::parse(&text).map_err(|what| KeyError::Root(format!("{}: {what}", path.display())))
    }

    /// Writes it to a new file, or in the place of another one.
    ///
    /// # Errors
    /// [`KeyError::Root`] when it cannot be written; the file is as it was then.
    pub fn write(&self, path: &Path, replace: bool) -> Result<(), KeyError> {
        let failed = |what: String| KeyError::Root(format!("{}: {what}", path.display()));
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.to_string()))? + "\n";
        let written =
            if replace { private::replace(path, text.as_bytes()) } else { private::create(path, text.as_bytes()) };
        written.map_err(|e| failed(e.to_string()))
    }

    /// The fingerprint of the root in it, as the file says.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Each part: whose it is, of what kind, made when.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &'static str, &str)> {
        self.wraps.iter().map(|wrap| (wrap.custodian.as_str(), wrap.wrapped.kind(), wrap.made.as_str()))
    }

    pub(super) fn of(&self, custodian: &str) -> Option<&Wrapped> {
        self.wraps.iter().find(|wrap| wrap.custodian == custodian).map(|wrap| &wrap.wrapped)
    }

    /// Whether a root that came out of it is the one that it says.
    pub(super) fn confirm(&self, root: &RootKey) -> Result<(), CustodianError> {
        if root.0.is_zero() || root.fingerprint() != self.fingerprint {
            return Err(CustodianError::Unusable(format!(
                "another root ({}) came out than the envelope says ({}); somebody changed the file",
                root.fingerprint(),
                self.fingerprint
            )));
        }
        Ok(())
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let envelope: Self = serde_json::from_slice(text).map_err(|e| {
            format!("this is no root envelope that this build understands (line {}, column {})", e.line(), e.column())
        })?;
        if envelope.strongroom_root_envelope != FORMAT {
            return Err(format!(
                "an envelope of format {}; this build knows {FORMAT}",
                envelope.strongroom_root_envelope
            ));
        }
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if envelope.fingerprint.len() != FINGERPRINT || !envelope.fingerprint.bytes().all(is_hex) {
            return Err("the fingerprint is no 16 hex digits".to_owned());
        }
        let names: BTreeSet<_> = envelope.wraps.iter().map(|wrap| &wrap.custodian).collect();
        if names.is_empty() || names.len() != envelope.wraps.len() {
            return Err("it has no part, or two of one custodian".to_owned());
        }
        Ok(envelope)
    }
}

// === impl Wrap ===

impl Wrap {
    pub(super) fn new(custodian: &str, wrapped: Wrapped) -> Self {
        let now = clock::now();
        let made = now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default();
        Self { custodian: custodian.to_owned(), made, wrapped }
    }
}

// === impl Wrapped ===

impl Wrapped {
    /// The kind, as configurations write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::AwsKms { .. } => "aws-kms",
            Self::VaultTransit { .. } => "vault-transit",
            Self::Pkcs11 { .. } => "pkcs11",
            Self::Recipient { .. } => "recipient",
        }
    }

    pub(super) fn recipient(&self) -> Option<&str> {
        match self {
            Self::Recipient { recipient, .. } => Some(recipient),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretBytes;
    use std::os::unix::fs::PermissionsExt;

    fn root() -> RootKey {
        RootKey(SecretBytes::new([7; 32]))
    }

    fn envelope() -> Envelope {
        let wrapped = Wrapped::AwsKms { key: "arn:aws:kms:x".to_owned(), ciphertext: "AAAA".to_owned() };
        Envelope::new(&root(), vec![Wrap::new("one", wrapped)])
    }

    fn refusal(text: &str) -> String {
        Envelope::parse(text.as_bytes()).err().unwrap_or_else(|| panic!("accepted: {text}"))
    }

    #[test]
    fn what_is_written_is_private_reads_back_and_is_replaced_only_on_request() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("root.envelope");
        envelope().write(&path, false).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Envelope::read(&path).ok(), Some(envelope()));
        let mut more = envelope();
        more.wraps.push(Wrap { custodian: "two".to_owned(), ..more.wraps[0].clone() });
        assert!(more.write(&path, false).is_err());
        assert_eq!(Envelope::read(&path).ok(), Some(envelope()));
        more.write(&path, true).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(Envelope::read(&path).ok(), Some(more));
        assert_eq!(std::fs::read_dir(folder.path()).map(Iterator::count).ok(), Some(1), "nothing is left beside it");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(Envelope::read(&path).is_err_and(|e| e.to_string().contains("chmod 600")));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = serde_json::to_string(&envelope()).unwrap_or_default();
        assert!(Envelope::parse(good.as_bytes()).is_ok());
        assert!(refusal(&good.replace("envelope\":1", "envelope\":2")).contains("format 2"));
        assert!(refusal(&good.replace("\"aws-kms\"", "\"oracle\"")).contains("line 1"));
        assert!(refusal(&good.replace("\"key\":", "\"more\":1,\"key\":")).contains("line 1"));
        assert!(refusal(&good.replace("\"made\":", "\"more\":1,\"made\":")).contains("line 1"));
        assert!(refusal(&good.replace(&root().fingerprint(), "0123")).contains("fingerprint"));
        assert!(refusal(&good[..good.len() - 1]).contains("line 1"));
        let wrap = serde_json::to_string(&envelope().wraps[0]).unwrap_or_default();
        assert!(refusal(&good.replace(&wrap, "")).contains("no part"));
        assert!(refusal(&good.replace(&wrap, &format!("{wrap},{wrap}"))).contains("two of one"));
    }

    #[test]
    fn another_root_than_the_one_it_names_is_refused() {
        assert!(envelope().confirm(&root()).is_ok());
        assert!(envelope().confirm(&RootKey(SecretBytes::new([8; 32]))).is_err());
    }
}
