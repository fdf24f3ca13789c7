//! A passphrase as custodian: Argon2id (RFC 9106) makes a key of it, under which the root is sealed.
//!
//! How much Argon2id has to work stands beside the salt, where whoever may write the file could lower or raise it: less than [`FLOOR`] is refused
//! before the passphrase is touched, and so is more than [`CEILING`], which would only be a way to stop a proxy.
use super::{Custodian, CustodianError};
use crate::keys::envelope::Wrapped;
use crate::keys::{OsEntropy, RootKey};
use crate::seal::{Entropy, SealError, open_blob, seal_blob};
use crate::secret::{SecretBytes, SecretText};
use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Characters of the shortest passphrase that is taken.
pub const SHORTEST: usize = 16;
/// Bytes of the salt.
const SALT: usize = 16;

/// How much Argon2id works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// RFC 9106, section 4: the second recommended option.
const USUAL: Cost = Cost { memory_kib: 64 << 10, passes: 3, lanes: 4 };
const FLOOR: Cost = Cost { memory_kib: 19 << 10, passes: 2, lanes: 1 };
const CEILING: Cost = Cost { memory_kib: 1 << 20, passes: 16, lanes: 16 };

/// The custodian.
pub(super) struct Passphrase(Arc<SecretText>);

// === impl Passphrase ===

impl Passphrase {
    pub(super) fn new(passphrase: SecretText) -> Self {
        Self(Arc::new(passphrase))
    }

    /// Off the threads that serve: it takes a tenth of a second, and its memory.
    async fn key(&self, cost: Cost, salt: [u8; SALT]) -> Result<SecretBytes<32>, CustodianError> {
        let passphrase = self.0.clone();
        let derived = tokio::task::spawn_blocking(move || derive(&passphrase, cost, salt)).await;
        derived.map_err(|e| CustodianError::Silent(e.to_string()))?
    }
}

#[async_trait]
impl Custodian for Passphrase {
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, CustodianError> {
        let no_randomness = |e: SealError| CustodianError::Silent(e.to_string());
        if self.0.expose().chars().count() < SHORTEST {
            return Err(CustodianError::Refused(format!("a passphrase has at least {SHORTEST} characters")));
        }
        let mut salt = [0u8; SALT];
        OsEntropy.fill(&mut salt).map_err(no_randomness)?;
        let key = self.key(USUAL, salt).await?;
        let sealed =
            seal_blob(&key, &label(&root.fingerprint()), root.0.expose(), &OsEntropy).map_err(no_randomness)?;
        Ok(Wrapped::Passphrase { argon2id: USUAL, salt: hex::encode(salt), sealed: STANDARD.encode(sealed) })
    }

    async fn unwrap(&self, fingerprint: &str, wrapped: &Wrapped) -> Result<RootKey, CustodianError> {
        let Wrapped::Passphrase { argon2id, salt, sealed } = wrapped else { return Err(CustodianError::other_kind()) };
        let damaged = |what: &str| CustodianError::Unusable(format!("damaged: {what}"));
        let mut bytes = [0u8; SALT];
        hex::decode_to_slice(salt, &mut bytes).map_err(|_| damaged("the salt is no 32 hex digits"))?;
        let sealed = STANDARD.decode(sealed).map_err(|_| damaged("no base64"))?;
        let key = self.key(*argon2id, bytes).await?;
        let opened = open_blob(&key, &label(fingerprint), &sealed).map_err(|_| {
            CustodianError::Unusable("another passphrase than the one it was wrapped with, or damage".to_owned())
        })?;
        let root: &[u8; 32] = opened.as_array().ok_or_else(|| damaged("no 32 bytes"))?;
        Ok(RootKey(SecretBytes::new(*root)))
    }
}

/// What the sealed root is bound to.
fn label(fingerprint: &str) -> String {
    super::label("passphrase", fingerprint)
}

fn derive(passphrase: &SecretText, cost: Cost, salt: [u8; SALT]) -> Result<SecretBytes<32>, CustodianError> {
    let within = |given: u32, floor: u32, ceiling: u32| (floor..=ceiling).contains(&given);
    let sane = within(cost.memory_kib, FLOOR.memory_kib, CEILING.memory_kib)
        && within(cost.passes, FLOOR.passes, CEILING.passes)
        && within(cost.lanes, FLOOR.lanes, CEILING.lanes);
    if !sane {
        return Err(CustodianError::Unusable(format!(
            "Argon2id with {} KiB, {} passes and {} lanes is refused: at least {}, {} and {}, and at most {}, {} and {}; somebody changed the file",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            FLOOR.memory_kib,
            FLOOR.passes,
            FLOOR.lanes,
            CEILING.memory_kib,
            CEILING.passes,
            CEILING.lanes
        )));
    }
    let failed = |e: argon2::Error| CustodianError::Silent(format!("Argon2id: {e}"));
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0u8; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(passphrase.expose().as_bytes(), &salt, key.as_mut()).map_err(failed)?;
    Ok(SecretBytes::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASE: &str = "seven blue herons wade at dawn";

    fn custodian(phrase: &str) -> Passphrase {
        Passphrase::new(SecretText::new(phrase.to_owned()))
    }

    fn root() -> RootKey {
        RootKey(SecretBytes::new([7; 32]))
    }

    async fn wrapped() -> Wrapped {
        custodian(PHRASE).wrap(&root()).await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// RFC 9106's own vector has a secret and associated data; this one is of the reference implementation's test.c (version 0x13, Argon2id).
    #[test]
    fn argon2id_is_the_one_of_the_reference_implementation() {
        let params = Params::new(65536, 2, 1, Some(32)).expect("parameters");
        let mut out = [0u8; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(b"password", b"somesalt", &mut out).expect("hashed");
        assert_eq!(hex::encode(out), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }

    #[tokio::test]
    async fn the_passphrase_opens_what_it_wrapped_and_nothing_else_does() {
        let (wrapped, fingerprint) = (wrapped().await, root().fingerprint());
        let opened = custodian(PHRASE).unwrap(&fingerprint, &wrapped).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(opened.0.expose(), root().0.expose());
        let other = custodian("seven blue herons wade at dusk").unwrap(&fingerprint, &wrapped).await;
        assert!(matches!(other, Err(CustodianError::Unusable(_))));
        let elsewhere = custodian(PHRASE).unwrap("0011223344556677", &wrapped).await;
        assert!(matches!(elsewhere, Err(CustodianError::Unusable(_))), "it is bound to its root");
    }

    #[tokio::test]
    async fn no_two_wraps_are_alike_and_a_short_passphrase_is_refused() {
        assert_ne!(serde_json::to_string(&wrapped().await).ok(), serde_json::to_string(&wrapped().await).ok());
        assert!(matches!(custodian("fifteen letters").wrap(&root()).await, Err(CustodianError::Refused(_))));
    }

    #[tokio::test]
    async fn a_cost_that_was_lowered_or_raised_is_refused_before_any_work() {
        let Wrapped::Passphrase { salt, sealed, .. } = wrapped().await else { panic!("a passphrase") };
        let low = [(1 << 10, 3, 4), (64 << 10, 1, 4), (64 << 10, 3, 0)];
        let high = [(2 << 20, 3, 4), (64 << 10, 17, 4), (64 << 10, 3, 17), (u32::MAX, 3, 4)];
        for (memory_kib, passes, lanes) in low.into_iter().chain(high) {
            let argon2id = Cost { memory_kib, passes, lanes };
            let changed = Wrapped::Passphrase { argon2id, salt: salt.clone(), sealed: sealed.clone() };
            let refused = custodian(PHRASE).unwrap(&root().fingerprint(), &changed).await.err();
            assert!(refused.is_some_and(|e| e.to_string().contains("somebody changed the file")), "{argon2id:?}");
        }
    }
}
