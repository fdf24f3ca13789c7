//! Work over whole buckets beside the proxy.
//!
//! | file | what it does |
//! |---|---|
//! | [`adopt`] | plain objects sealed in place, as a client of the running proxy |
//! | [`rewrap`] | objects moved to the newest versions of their keys, as a client of the running proxy |
//! | [`reconcile`] | compares sites and repairs what differs |
//! | [`verify`] | authenticates every byte of a site's buckets |
//! | [`restore`] | a bucket, as it is or was, to a folder or another bucket |
//! | [`drill`] | restores a sample from a backup alone, measures, and signs what it found |
//! | [`holdings`] | what every site holds under certain keys, and what of it has to be kept |
//! | [`unseal`] | a folder of sealed files back to plain ones, offline |
//! | [`object`] | one sealed object at one site, read whole and authenticated |
//! | [`fingerprint`], [`pace`], [`sample`] | its MD5s; how fast; which objects a sample holds |
//! | [`target`], [`upload`] | a file or an object under way: it gets its name when it is known to be right |
//! | [`ring`], [`system_copy`] | the keyring out of a copy of one site's system bucket |
//! | [`buckets`], [`checkpoint`] | which buckets a job is about; how far it has come |
pub mod adopt;
pub mod buckets;
pub mod checkpoint;
pub mod drill;
mod fingerprint;
pub mod holdings;
pub mod object;
pub mod pace;
pub mod reconcile;
pub mod restore;
pub mod rewrap;
pub mod ring;
pub mod sample;
pub mod system_copy;
mod target;
pub mod unseal;
mod upload;
pub mod verify;
