//! Which token and which key a configuration means, and whether that key will do: one that anybody could take out of the token, or use without the PIN,
//! guards nothing.
use super::Pkcs11Settings;
use super::verdict::verdict;
use crate::keys::CustodianError;
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

/// Bytes of an AES-256 key.
const KEY: u64 = 32;

/// A session that is logged in, and the key.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) key: ObjectHandle,
    /// The token's label.
    pub(super) token: String,
    /// The key's label or id, as the configuration says.
    pub(super) name: String,
}

/// The one token that is meant.
pub(super) fn find_token(library: &Pkcs11, wanted: &Pkcs11Settings) -> Result<(Slot, TokenInfo), CustodianError> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found.trim());
    let slots = library.get_slots_with_token().map_err(|e| verdict(&e))?;
    let (mut found, mut failed) = (Vec::new(), None);
    for slot in slots {
        match library.get_token_info(slot) {
            Ok(info) if is(&wanted.token_label, info.label()) && is(&wanted.token_serial, info.serial_number()) => {
                found.push((slot, info));
            }
            Ok(_) => {}
            Err(error) => failed = Some(verdict(&error)),
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(token), true) => Ok(token),
        (Some(_), false) => Err(CustodianError::Refused(
            "the module shows more than one such token; tell them apart with token_serial".to_owned(),
        )),
        (None, _) => Err(CustodianError::Silent(match failed {
            Some(error) => format!("a token of its module {error}"),
            None => "its module shows no such token now; see token_label and token_serial".to_owned(),
        })),
    }
}

/// The one key that is meant, when it will do; and its name.
pub(super) fn find_key(session: &Session, wanted: &Pkcs11Settings) -> Result<(ObjectHandle, String), CustodianError> {
    let mut template = vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES)];
    template.extend(wanted.key_label.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(wanted.key_id.as_ref().map(|id| Attribute::Id(id.clone())));
    let id = || wanted.key_id.as_ref().map(hex::encode).unwrap_or_default();
    let name = wanted.key_label.clone().unwrap_or_else(id);
    let refused = |what: String| Err(CustodianError::Refused(what));
    let found = session.find_objects(&template).map_err(|e| verdict(&e))?;
    match found[..] {
        [key] => {
            let asked = [
                AttributeType::Extractable,
                AttributeType::Sensitive,
                AttributeType::Private,
                AttributeType::Token,
                AttributeType::Encrypt,
                AttributeType::Decrypt,
                AttributeType::ValueLen,
            ];
            let said = session.get_attributes(key, &asked).map_err(|e| verdict(&e))?;
            judge(&said).map_err(|why| CustodianError::Refused(format!("key {name}: {why}")))?;
            Ok((key, name))
        }
        [] => refused(format!("the token has no AES key {name}; see key_label and key_id")),
        _ => refused(format!("the token has more than one AES key {name}; tell them apart with key_id")),
    }
}

/// Each of these has to be said by the token; what it does not tell counts as wrong.
fn judge(said: &[Attribute]) -> Result<(), String> {
    let wanted: [(&[Attribute], &str); 5] = [
        (
            &[Attribute::Extractable(false), Attribute::Sensitive(true)],
            "it can be taken out of the token (CKA_EXTRACTABLE is true, or CKA_SENSITIVE false)",
        ),
        (&[Attribute::Private(true)], "it can be used without the PIN (CKA_PRIVATE is false)"),
        (&[Attribute::Token(true)], "it does not stay in the token (CKA_TOKEN is false)"),
        (&[Attribute::ValueLen(KEY.into())], "it is no AES-256 key (CKA_VALUE_LEN is not 32)"),
        (
            &[Attribute::Encrypt(true), Attribute::Decrypt(true)],
            "it may not encrypt and decrypt (CKA_ENCRYPT, CKA_DECRYPT)",
        ),
    ];
    match wanted.iter().find(|(all, _)| !all.iter().all(|one| said.contains(one))) {
        None => Ok(()),
        Some((_, why)) => Err(format!(
            "{why}; make another one in the token, sensitive, private and not extractable (docs/KEYS.md), and run `strongroom root rewrap`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_guards_nothing_is_refused_and_so_is_one_of_which_the_token_does_not_tell() {
        let good = [
            Attribute::Extractable(false),
            Attribute::Sensitive(true),
            Attribute::Private(true),
            Attribute::Token(true),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(KEY.into()),
        ];
        assert_eq!(judge(&good), Ok(()));
        let wrong = [
            Attribute::Extractable(true),
            Attribute::Sensitive(false),
            Attribute::Private(false),
            Attribute::Token(false),
            Attribute::Encrypt(false),
            Attribute::Decrypt(false),
            Attribute::ValueLen(16.into()),
        ];
        for (at, wrong) in wrong.into_iter().enumerate() {
            let mut said = good.to_vec();
            said[at] = wrong;
            assert!(judge(&said).is_err(), "{said:?}");
            said.remove(at);
            assert!(judge(&said).is_err(), "{said:?}");
        }
    }
}
