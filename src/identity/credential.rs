//! One long-term credential: what makes one acceptable, and how a new one is drawn.
use super::{ANONYMOUS, IdentityError, MIN_SECRET};
use crate::clock;
use crate::secret::SecretText;

const ID_PREFIX: &str = "SR";
const ID_LENGTH: usize = 20;
const SECRET_LENGTH: usize = 40;
const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters and digits only: `+`, `/` and `-` trip up shells, URLs and option parsers. 40 of them hold 238 bits.
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// One long-term credential. No `Debug`.
pub struct Credential {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
    /// A human name for logs.
    pub name: String,
    /// Who they are at the sites, where they are users of their own there and not the proxy's.
    pub at: Vec<SiteUser>,
}

/// A user of a site, whom the proxy acts as for one of its callers. No `Debug`.
pub struct SiteUser {
    /// The site's name.
    pub site: String,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: SecretText,
}

// === impl Credential ===

impl Credential {
    /// A new random credential: an access key id of 20 upper-case characters that starts with `SR`, a secret of 40.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn generate(name: &str) -> Result<Self, IdentityError> {
        let id = draw(ID_ALPHABET, ID_LENGTH - ID_PREFIX.len())?;
        Ok(Self {
            access_key_id: format!("{ID_PREFIX}{id}"),
            secret_access_key: SecretText::new(draw(SECRET_ALPHABET, SECRET_LENGTH)?),
            name: name.to_owned(),
            at: Vec::new(),
        })
    }

    /// What is wrong with it, in words that hold no secret.
    pub(super) fn check(&self) -> Result<(), String> {
        let printable = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic());
        if self.name.trim().is_empty() || self.name.chars().any(char::is_control) {
            return Err("`name` is empty or holds control characters; it stands in the access log".to_owned());
        }
        if self.name.eq_ignore_ascii_case(ANONYMOUS) {
            return Err(format!(
                "`name` is {ANONYMOUS:?}, which stands for requests without a signature; choose another"
            ));
        }
        // `/` and `,` delimit the credential scope in a signature (SigV4), so an id with one could never be used.
        let id = &self.access_key_id;
        if !printable(id) || id.len() > 128 || id.contains(['/', ',', '=']) {
            return Err("`access_key_id` must be 1 to 128 visible ASCII characters without `/`, `,`, `=`".to_owned());
        }
        let secret = self.secret_access_key.expose();
        if !printable(secret) || secret.len() < MIN_SECRET {
            return Err(format!("`secret_access_key` must be at least {MIN_SECRET} visible ASCII characters"));
        }
        match self.at.iter().find(|user| !printable(&user.access_key_id) || !printable(user.secret_access_key.expose()))
        {
            Some(user) => Err(format!(
                "its `access_key_id` and `secret_access_key` at {:?} must be visible ASCII characters",
                user.site
            )),
            None => Ok(()),
        }
    }
}

/// `length` characters of `alphabet` (at most 256), each equally likely: bytes beyond the last whole multiple
/// of the alphabet are thrown away.
fn draw(alphabet: &[u8], length: usize) -> Result<String, IdentityError> {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    let mut bytes = zeroize::Zeroizing::new([0u8; 64]);
    while text.len() < length {
        clock::random(bytes.as_mut_slice()).map_err(|e| IdentityError(e.to_string()))?;
        let usable = bytes.iter().map(|b| usize::from(*b)).filter(|b| *b < fair);
        text.extend(usable.take(length - text.len()).map(|b| char::from(alphabet[b % alphabet.len()])));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> Credential {
        Credential::generate("test").unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_generated_credential_has_the_promised_form() {
        let one = generated();
        assert!(one.access_key_id.starts_with("SR") && one.access_key_id.len() == 20);
        assert!(one.access_key_id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        assert_eq!(one.secret_access_key.expose().len(), 40);
        assert_eq!(one.check(), Ok(()));
    }

    #[test]
    fn no_two_generated_credentials_are_alike() {
        let (one, two) = (generated(), generated());
        assert_ne!(one.access_key_id, two.access_key_id);
        assert_ne!(one.secret_access_key.expose(), two.secret_access_key.expose());
    }

    #[test]
    fn every_character_of_the_alphabet_is_drawn() {
        let text = draw(SECRET_ALPHABET, 20_000).unwrap_or_else(|e| panic!("{e}"));
        assert!(SECRET_ALPHABET.iter().all(|c| text.contains(char::from(*c))));
    }

    #[test]
    fn ids_and_names_that_could_not_work_are_refused() {
        let with = |id: &str, name: &str| Credential {
            access_key_id: id.into(),
            secret_access_key: SecretText::new("0123456789abcdef".into()),
            name: name.into(),
            at: Vec::new(),
        };
        for id in ["", "a b", "a/b", "a,b", "a=b", "ü", &"x".repeat(129)] {
            assert!(with(id, "n").check().is_err_and(|e| e.contains("access_key_id")), "{id}");
        }
        for name in ["", "  ", "a\nb"] {
            assert!(with("AK", name).check().is_err_and(|e| e.contains("name")), "{name:?}");
        }
    }
}
