//! What a site missed: recorded durably, retried until it is there.
//!
//! | file | what it holds |
//! |---|---|
//! | [`journal`] | [`Journal`]: the tee's way to make a miss durable, and the worker's alarm clock |
//! | [`desk`], [`book`] | intents: what is about to change, written in groups and taken back in bulk |
//! | [`worker`] | [`run`]: which rows are worked on, when, and what a failure means for the next try |
//! | [`gate`] | sites that are down: left alone, then asked with one small request |
//! | [`heal`] | damaged copies, and whoever can tell them from good ones |
//! | [`backoff`] | how long to wait |
//! | [`mirror`] | one row: make the site's object (or bucket) equal to the primary's |
//! | [`history`] | which versions a site missed |
//! | [`compare`] | are two sites' objects the same version? |
//! | [`throttle`] | how many bytes a second |
//! | [`transfer`] | the streamed copy, in one request or in parts; also between any two sites, for `recovery`'s repairs |
//!
//! The primary decides, always: a row says only *where to look*, never what to write. So rows can be worked on in any
//! order, twice, or after the object has changed again. Every change at a site happens under the tee's commit lock of
//! the key, after a last look at the primary. Nothing here can read what it copies: sealed bytes travel as they are.
mod backoff;
mod book;
pub mod compare;
mod desk;
mod gate;
mod heal;
mod history;
mod journal;
mod mirror;
mod throttle;
mod transfer;
mod worker;

pub use backoff::BackOff;
pub use heal::{HealError, Healed, Healer};
pub use journal::Journal;
pub use transfer::{Copied, repair};
pub use worker::{Settings, run, run_with};

use crate::site::Location;
use crate::state::Backlog;

/// Told of progress, for metrics.
pub trait ReplicationObserver: Send + Sync {
    /// Backlog after a round, and every 15 seconds; age of the oldest operation in seconds.
    fn backlog(&self, backlog: &Backlog, oldest_seconds: f64);
    /// One operation settled (`ok`) or failed for now.
    fn attempt(&self, site: &str, ok: bool);
    /// One operation settled so many seconds after it was recorded.
    fn latency(&self, _site: &str, _seconds: f64) {}
    /// What a read had found damaged at this site was looked at again.
    fn healed(&self, _site: &str, _at: &Location, _healed: &Healed) {}
}
