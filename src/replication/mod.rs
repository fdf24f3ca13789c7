//! What a site missed: recorded durably, retried until it is there.
//!
//! A miss says "make this site equal to the primary for this name", never "repeat that write". So it does not matter what happens to the name
//! meanwhile, nor how often a miss is worked on. Only sealed bytes move; no key is needed.
//!
//! | file | holds |
//! |---|---|
//! | [`journal`] | the port through which the tee records misses |
//! | [`level`] | making one object or bucket at one site equal to the primary's |
//! | [`copy`] | streaming the sealed bytes from site to site |
//! | [`worker`] | which misses are due, how many at once, how long to wait after a failure |
mod back_off;
mod copy;
mod journal;
mod level;
mod worker;

#[cfg(test)]
mod tests;

pub use back_off::BackOff;
pub use journal::Journal;
pub use worker::run;

/// Told of progress, for metrics.
pub trait ReplicationObserver: Send + Sync {
    /// Backlog after a round: operations pending, age of the oldest in seconds.
    fn backlog(&self, pending: u64, oldest_seconds: f64);
    /// One operation settled (`ok`) or failed for now.
    fn attempt(&self, site: &str, ok: bool);
}
