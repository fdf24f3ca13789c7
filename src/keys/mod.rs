//! Vault keys: the root key wraps vault-key versions; they live in the keyring, a few small sealed objects in
//! the system bucket of every site, changed by conditional writes.
//!
//! | file | what it holds |
//! |---|---|
//! | [`root`], [`roots`] | a root key: loading, checking, making one; all that open the keyring |
//! | [`envelope`], [`custodian`] | a root that is wrapped for custodians: the file; a passphrase, a KMS, Vault, an HSM, an escrow, and all of them together |
//! | [`vigil`] | whether the custodians still let the root be used |
//! | [`private`] | files that nobody else may read |
//! | [`rotate`] | from one root to the next: everything sealed anew, read back, and what is left under which root |
//! | [`document`] | what a keyring object says, and how it is sealed |
//! | [`survey`] | every copy at every site, each authenticated |
//! | [`settle`] | which copy counts; when a key may be made anew |
//! | [`copies`] | writing copies, and reading back what was written |
//! | [`keyring`] | the opened keyring: lookups that never do I/O |
//! | [`reach`] | a start without some of the roots |
//! | [`ring`], [`watch`] | the keys in memory; what changed at the sites since |
//! | [`state`], [`admin`] | what a key may be used for; changing that |
//! | [`tally`], [`usage`] | counting what is sealed under each version, and how much may be |
//! | [`aging`] | a new version for keys that have sealed long enough, or enough |
//! | [`folder`] | the keyring out of a folder, for `unseal` |
//!
//! One object per vault key: `keyring/v1/ID` = `seal_blob(root, label = its own object key, JSON)`. A site and the root
//! key are therefore enough to read everything back. See `docs/KEYS.md`.
mod admin;
mod aging;
mod copies;
mod custodian;
mod document;
mod entropy;
mod envelope;
mod error;
mod folder;
mod keyring;
mod private;
mod reach;
mod ring;
mod root;
mod roots;
mod rotate;
mod settle;
mod state;
mod survey;
mod tally;
mod usage;
mod vigil;
mod watch;

pub use crate::seal::{VaultKeyId, VaultKeyRef};
pub use admin::{Done, KeyAdmin, KeyChange, KeyInfo, key_id};
pub use custodian::{
    Answer, AwsKmsSettings, CustodianError, CustodianKind, CustodianName, CustodianSettings, Custodians,
    Pkcs11Settings, SHORTEST_PASSPHRASE, SecretSource, VaultLogin, VaultTransitSettings, WrapChange, is_recipient,
    recover,
};
pub use document::Changed;
pub use entropy::OsEntropy;
pub use envelope::Envelope;
pub use error::KeyError;
pub use keyring::Keyring;
pub use root::{RootKey, RootSource};
pub use roots::Roots;
pub use rotate::{Rewrapped, RootUse, TAKEN_OVER};
pub use state::{KeyState, Limits, USUAL_WINDOW, Use, WINDOW};
pub use tally::{Allowance, Counted, Ledger, Used};
pub use vigil::{Patience, Seen, Vigil};
