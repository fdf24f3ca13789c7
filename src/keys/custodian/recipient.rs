//! Escrow: the root encrypted to an `age` recipient, whose identity lies in a safe. Anybody who has the identity opens it, with
//! [`recover`] or with the `age` tool: what is inside is a root key file.
use super::{Custodian, CustodianError};
use crate::keys::envelope::{Envelope, Wrapped};
use crate::keys::{KeyError, OsEntropy, RootKey};
use crate::seal::{AgeIdentity, AgeRecipient};
use async_trait::async_trait;

/// The custodian.
pub(super) struct Recipient(String);

/// Whether this is a recipient.
pub fn is_recipient(text: &str) -> bool {
    AgeRecipient::parse(text).is_some()
}

// === impl Recipient ===

impl Recipient {
    pub(super) fn new(recipient: String) -> Self {
        Self(recipient)
    }
}

#[async_trait]
impl Custodian for Recipient {
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError> {
        let refused = |what: String| CustodianError::Refused(format!("{}: {what}", self.0));
        let to = AgeRecipient::parse(&self.0).ok_or_else(|| refused("no X25519 recipient".to_owned()))?;
        let age = to.encrypt(&*root.line(), &OsEntropy).map_err(|e| refused(e.to_string()))?;
        Ok(Wrapped::Recipient { recipient: self.0.clone(), age })
    }

    async fn unwrap(&self, _: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError> {
        match wrapped {
            Wrapped::Recipient { recipient, .. } if *recipient == self.0 => Err(CustodianError::Offline),
            Wrapped::Recipient { recipient, .. } => {
                Err(CustodianError::Unusable(format!("it was wrapped for {recipient}; run `strongroom root rewrap`")))
            }
            _ => Err(CustodianError::other_kind()),
        }
    }

    fn is_online(&self) -> bool {
        false
    }
}

/// Opens an envelope with the private key of a recipient: the text of an identity file (`AGE-SECRET-KEY-1...`, comments in lines that begin with `#`).
///
/// # Errors
/// [`KeyError::Root`] when it is no identity, or the envelope holds nothing that it opens.
pub fn recover(envelope: &Envelope, identities: &str) -> Result<RootKey, KeyError> {
    let lines = identities.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let identities: Option<Vec<AgeIdentity>> = lines.map(AgeIdentity::parse).collect();
    let identities = identities.ok_or_else(|| {
        KeyError::Root("this is no identity of an X25519 recipient: a line AGE-SECRET-KEY-1...".to_owned())
    })?;
    let parts = envelope.wraps.iter().filter_map(|wrap| match &wrap.wrapped {
        Wrapped::Recipient { age, .. } => Some(age),
        _ => None,
    });
    for age in parts {
        for identity in &identities {
            let Ok(line) = identity.decrypt(age) else { continue };
            let root = RootKey::parse(&line).map_err(|what| KeyError::Root(format!("what was in escrow: {what}")))?;
            envelope.confirm(&root).map_err(|e| KeyError::Root(e.to_string()))?;
            return Ok(root);
        }
    }
    let named: Vec<_> = envelope.wraps.iter().filter_map(|wrap| wrap.wrapped.recipient()).collect();
    let named = if named.is_empty() { "no recipient".to_owned() } else { named.join(", ") };
    Err(KeyError::Root(format!("the identity opens nothing in the envelope, which was wrapped for {named}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::envelope::Wrap;
    use crate::secret::SecretBytes;

    /// Key pairs of C2SP's and rage's public tests.
    const OWNER: (&str, &str) = (
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33",
        "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa",
    );
    const OTHER: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";

    fn root(byte: u8) -> RootKey {
        RootKey(SecretBytes::new([byte; 32]))
    }

    async fn envelope(holds: &RootKey, says: &RootKey) -> Envelope {
        let custodian = Recipient::new(OWNER.1.to_owned());
        let wrapped = custodian.wrap(holds).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(custodian.unwrap(&says.fingerprint(), &wrapped).await, Err(CustodianError::Offline)));
        Envelope::new(says, vec![Wrap::new("escrow", wrapped)])
    }

    #[tokio::test]
    async fn the_identity_recovers_the_root_and_another_one_does_not() {
        let envelope = envelope(&root(7), &root(7)).await;
        let file = format!("# created: today\n# public key: {}\n{}\n", OWNER.1, OWNER.0);
        assert_eq!(recover(&envelope, &file).map(|r| *r.0.expose()).ok(), Some([7; 32]));
        let refused = recover(&envelope, OTHER).err().map(|e| e.to_string());
        assert!(refused.is_some_and(|e| e.contains(OWNER.1)));
        assert!(recover(&envelope, "nonsense").is_err() && recover(&envelope, "").is_err());
    }

    #[tokio::test]
    async fn a_root_that_is_not_the_one_of_the_fingerprint_is_refused() {
        let envelope = envelope(&root(7), &root(8)).await;
        let refused = recover(&envelope, OWNER.0).err().map(|e| e.to_string());
        assert!(refused.is_some_and(|e| e.contains("another root")));
    }

    #[test]
    fn a_recipient_is_checked() {
        assert!(is_recipient(OWNER.1) && !is_recipient(OWNER.0) && !is_recipient("age1xyz") && !is_recipient(""));
    }
}
