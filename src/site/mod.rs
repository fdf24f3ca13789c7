//! One S3 endpoint behind the proxy, and the tee that writes to all of them.
//!
//! A [`Site`] has two doors and nobody outside knows which one served a request:
//!
//! | door | files | serves |
//! |---|---|---|
//! | lean | `lean.rs`, `forward.rs` over `sign.rs`, `path.rs`, `body.rs`, `trailed.rs` | get, put, upload_part: the hot path; configuration, passed on |
//! | SDK | `sdk.rs`, used by `head.rs`, `delete.rs`, `multipart.rs`, `bucket.rs`, `listing.rs`, `versions.rs`, `retention.rs` | everything else |
//!
//! Both share one pool of connections (`connect.rs`; `sdk_http.rs` in the SDK's terms, for other rooms' SDKs too; `ask.rs` for a small question to another server). What a backend can do is probed (`probe.rs`), what it
//! does oddly is hidden (`quirks.rs`), which buckets ask for checksums is remembered (`locks.rs`), and whether it answers at all is watched (`health.rs`).
//!
//! Every key travels byte for byte: no door normalises `//`, `.`, `..` or a leading `/`.

mod acl;
mod ask;
mod body;
mod bucket;
mod capabilities;
mod config;
mod connect;
mod delete;
mod error;
mod feed;
mod forward;
mod head;
mod health;
mod kept;
mod lean;
mod listing;
mod locks;
mod multipart;
mod object;
mod observer;
mod pace;
mod path;
mod persevere;
mod probe;
mod quirks;
mod retention;
mod sdk;
mod sdk_http;
mod sign;
#[allow(clippy::module_inception, reason = "the type the module is about")]
mod site;
mod small;
mod stream;
mod trailed;
mod unsigned;
mod versions;
mod wire;

pub mod embedded;
pub mod tee;

pub use acl::{ALL_USERS, Acl, BUCKET_OWNER_TOO};
pub use ask::{Answered, Asker};
pub use bucket::{ListedBucket, SiteOwner};
pub use capabilities::Capabilities;
pub use config::{SiteConfig, SiteCredential, SiteName};
pub use connect::confine;
pub use delete::{DeleteOptions, Deleted, Doomed};
pub use error::{SiteError, chain, without_words};
pub use forward::{Forward, Forwarded};
pub use kept::{kept, retention_note};
pub use listing::{ListPage, ListQuery, ListedObject, ListedOwner};
pub use object::{
    GotObject, IN_CLEAR, KEPT, Location, NO_HEADERS, ObjectHeaders, PartSource, PutBody, RETENTION_NOTE, SealedBody,
    SealedRange, ToldHeaders, WriteCondition, Written,
};
pub use observer::{SiteObserver, Unobserved};
pub use pace::Hedge;
pub use path::{METADATA_HEADER, source_of as copy_source};
pub use persevere::Persevere;
pub use retention::Hold;
pub use sdk_http::SdkHttp;
pub use site::{Site, Sites};
pub use small::SMALL_LIMIT;
pub use versions::{ListedVersion, NULL_VERSION, VersionObject, VersionPage, VersionQuery, missing_on_top};
