//! Strongroom: an S3-compatible proxy that seals every object before it reaches storage.
//!
//! The modules below stand in the order in which a request meets them; reading them top to bottom
//! follows a `PutObject` from the socket to the two sites and back.
//!
//! | room | what happens there |
//! |---|---|
//! | [`server`] | listeners, TLS, connections, limits, the admin endpoints, drain |
//! | [`identity`] | who is asking: a signature becomes a [`identity::Principal`] |
//! | [`authz`] | may they: a `Principal` and an action become a [`authz::Permit`] |
//! | [`policy`] | how is it kept: a `Permit` and a path become a [`policy::Plan`] |
//! | [`gateway`] | the S3 operations, one file per family |
//! | [`keys`] | vault keys: the root, the keyring, its copies at every site |
//! | [`seal`] | the sealed-object format; pure, no I/O, no clock |
//! | [`site`] | one S3 endpoint, what it can do, and the tee that writes to all of them |
//! | [`replication`] | what one site missed is recorded and retried until it is there |
//! | [`state`] | what must survive a restart: uploads, the journal, the ETag index |
//! | [`audit`] | the access log and the event stream |
//! | [`telemetry`] | every metric's name and labels in one table; tracing set-up |
//! | [`recovery`] | work over whole buckets without the proxy: reconcile, verify, restore, drill, unseal |
//! | [`s3`], [`secret`], [`clock`] | the shared vocabulary; they import nothing |
//!
//! Who may import whom is written down in `docs/ARCHITECTURE.md` and enforced by
//! `tests/architecture.rs`.
#![forbid(unsafe_code)]
// A request is one future, and its layout is computed as deep as its calls go.
#![recursion_limit = "256"]

pub mod app;
pub mod cli;
pub mod config;
pub mod server;

pub mod authz;
pub mod gateway;
pub mod identity;
pub mod policy;

pub mod keys;
pub mod replication;
pub mod seal;
pub mod site;
pub mod state;

pub mod audit;
pub mod recovery;
pub mod telemetry;

pub mod clock;
pub mod s3;
pub mod secret;
