//! What must survive a restart: multipart uploads, the journal of misses, intents, the ETag index.
//!
//! The only room that knows SQL: a PostgreSQL that several proxies share, or two SQLite files (WAL) in the state folder
//! (0700), each 0600:
//!
//! | file | holds | durability | when it is damaged |
//! |---|---|---|---|
//! | `state.sqlite3` | uploads and parts ([`uploads`]), the journal ([`journal`]), [`intents`], who is alive ([`owner`]), what keys sealed ([`key_usage`]), what clients made public ([`published`]) | `synchronous=FULL`: on disk when a call returns | refused loudly, with what to do |
//! | `index.sqlite3` | the ETag index ([`index`]) | a cache, written behind in batches | thrown away and built anew |
//!
//! Every change of `state.sqlite3` goes through one writer that commits whatever is waiting in one transaction
//! ([`writer`]), so that a burst of misses costs one `fsync` and not one each. Readers have their own pool.
//! The SQL keeps to what both understand (numbered parameters, `ON CONFLICT`, keys as bytes, whose order is
//! S3's order of keys); [`schema`] has the few words that differ.
mod database;
mod error;
mod folder;
mod index;
mod intents;
mod journal;
mod key_usage;
mod open;
mod owner;
mod published;
mod schema;
mod types;
mod uploads;
mod writer;

pub use error::StateError;
pub use intents::{EndedIntent, Exchange, IntentRow};
pub use journal::Missed;
pub use key_usage::KeyUsage;
pub use open::State;
pub use owner::Owner;
pub use types::{Backlog, IndexEntry, Part, Pending, Progress, Resting, Task, Upload};
