//! Who is asking: an access key id becomes a [`Principal`].
//!
//! A caller proves who they are with a signature; the secret behind an access key id is handed out only to
//! check one. Secrets are never compared, printed or put into an error here. Access key ids are public
//! (they travel in clear), so finding one needs no constant time; the comparison of signatures does, and
//! is done by `s3s`.
mod credential;
mod file;
mod private;

pub use credential::{Credential, SiteUser};
pub use file::{load, save_new};
pub use private::{PrivateFileError, read_private, write_private};

use crate::secret::SecretText;
use std::collections::HashMap;
use std::sync::Arc;

/// The shortest secret access key accepted, in characters.
pub const MIN_SECRET: usize = 16;

/// What stands for callers who sign nothing, where a rule lets them do something. No credential has this name.
pub const ANONYMOUS: &str = "anonymous";

/// An authenticated caller, or one who may do this without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Access key id.
    pub access_key_id: Arc<str>,
    /// Name of the credential.
    pub name: Arc<str>,
}

/// Every credential known. No `Debug`.
pub struct Credentials {
    by_id: HashMap<String, Known>,
}

struct Known {
    principal: Principal,
    secret: SecretText,
    at: Vec<SiteUser>,
}

/// Why a set of credentials is refused.
#[derive(Debug, thiserror::Error)]
#[error("credentials: {0}")]
pub struct IdentityError(pub String);

// === impl Principal ===

impl Principal {
    /// Whoever it is.
    pub fn anonymous() -> Self {
        Self { access_key_id: "".into(), name: ANONYMOUS.into() }
    }

    /// Whether nobody knows who it is.
    pub fn is_anonymous(&self) -> bool {
        self.access_key_id.is_empty()
    }
}

// === impl Credentials ===

impl Credentials {
    /// Refuses duplicates, empty lists, short secrets (under 16 characters).
    ///
    /// # Errors
    /// Names the credential at fault by name and position, never by its secret.
    pub fn new(list: Vec<Credential>) -> Result<Self, IdentityError> {
        if list.is_empty() {
            return Err(IdentityError("none is defined, so nobody could ask for anything; add one".to_owned()));
        }
        let mut by_id: HashMap<String, Known> = HashMap::with_capacity(list.len());
        for (index, credential) in list.into_iter().enumerate() {
            let who = format!("number {} ({:?})", index + 1, credential.name);
            credential.check().map_err(|why| IdentityError(format!("{who}: {why}")))?;
            let Credential { access_key_id, secret_access_key: secret, name, at } = credential;
            let principal = Principal { access_key_id: access_key_id.as_str().into(), name: name.into() };
            if let Some(Known { principal: other, .. }) = by_id.insert(access_key_id, Known { principal, secret, at }) {
                let id = &other.access_key_id;
                return Err(IdentityError(format!("{who}: the access key id {id} is already {:?}'s", other.name)));
            }
        }
        Ok(Self { by_id })
    }

    /// By access key id.
    pub fn principal(&self, access_key_id: &str) -> Option<Principal> {
        self.by_id.get(access_key_id).map(|known| known.principal.clone())
    }

    /// The secret behind an access key id, for signature checks.
    pub fn secret(&self, access_key_id: &str) -> Option<&SecretText> {
        self.by_id.get(access_key_id).map(|known| &known.secret)
    }

    /// Every caller and their secret, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Principal, &SecretText)> {
        self.by_id.values().map(|known| (&known.principal, &known.secret))
    }

    /// The callers who are users of their own at the sites, and who they are there; in no particular order.
    pub fn site_users(&self) -> impl Iterator<Item = (&Principal, &[SiteUser])> {
        self.by_id.values().filter(|known| !known.at.is_empty()).map(|known| (&known.principal, known.at.as_slice()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Never true: [`Credentials::new`] refuses an empty list.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(name: &str, id: &str, secret: &str) -> Credential {
        let secret_access_key = SecretText::new(secret.into());
        Credential { name: name.into(), access_key_id: id.into(), secret_access_key, at: Vec::new() }
    }

    fn refusal(list: Vec<Credential>) -> String {
        Credentials::new(list).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_access_key_id_leads_to_its_principal_and_secret() {
        let all = Credentials::new(vec![
            credential("erp", "AKERP", "0123456789abcdef"),
            credential("scan", "AKSCAN", "fedcba9876543210"),
        ])
        .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(all.principal("AKSCAN").map(|p| p.name.to_string()).as_deref(), Some("scan"));
        assert_eq!(all.secret("AKERP").map(SecretText::expose), Some("0123456789abcdef"));
        assert!(all.principal("AKNONE").is_none() && all.secret("akerp").is_none());
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn an_unusable_list_is_refused_without_showing_a_secret() {
        assert!(refusal(vec![]).contains("none is defined"));
        let short = refusal(vec![credential("erp", "AKERP", "hunter2")]);
        assert!(short.contains("number 1 (\"erp\")") && short.contains("16") && !short.contains("hunter2"), "{short}");
        let twice =
            refusal(vec![credential("a", "SAME", "0123456789abcdef"), credential("b", "SAME", "0123456789abcdeX")]);
        assert!(twice.contains("SAME is already \"a\"'s") && !twice.contains("abcde"), "{twice}");
    }
}
