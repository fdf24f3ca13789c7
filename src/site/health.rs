//! Whether a site answers, judged passively from the outcome of real requests.
//!
//! Three outages in a row make it unhealthy. While unhealthy, one request each [`RETRY_AFTER`] may try again
//! (half-open); any answer, even an S3 error, makes it healthy. No timer, no lock.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Outages in a row that make a site unhealthy.
const OUTAGES: u32 = 3;
/// How long an unhealthy site is left alone before it counts as worth a try.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The verdict on a site, fed with the outcome of its requests.
pub(super) struct Health {
    record: Record,
    base: Instant,
}

/// The counters behind the verdict; times are durations since the site was built.
#[derive(Default)]
struct Record {
    outages: AtomicU32,
    last_try_millis: AtomicU64,
}

// === impl Health ===

impl Health {
    pub(super) fn new() -> Self {
        Self { record: Record::default(), base: Instant::now() }
    }

    /// True when requests are likely to be answered, or when it is time to find out.
    pub(super) fn is_healthy(&self) -> bool {
        self.record.is_healthy(self.base.elapsed())
    }

    /// True while it does not answer; unlike [`Health::is_healthy`], also when it is time to find out.
    pub(super) fn is_out(&self) -> bool {
        self.record.outages.load(Ordering::Relaxed) >= OUTAGES
    }

    /// A request starts: whoever asks next does not count as the half-open try.
    pub(super) fn tries(&self) {
        self.record.tries(self.base.elapsed());
    }

    /// A request ended. `Some(healthy)` when that changed the verdict.
    pub(super) fn ended(&self, outage: bool) -> Option<bool> {
        self.record.ended(outage, self.base.elapsed())
    }
}

// === impl Record ===

impl Record {
    fn is_healthy(&self, now: Duration) -> bool {
        let quiet = millis(now).saturating_sub(self.last_try_millis.load(Ordering::Relaxed));
        self.outages.load(Ordering::Relaxed) < OUTAGES || quiet >= millis(RETRY_AFTER)
    }

    fn tries(&self, now: Duration) {
        if self.outages.load(Ordering::Relaxed) >= OUTAGES {
            self.last_try_millis.store(millis(now), Ordering::Relaxed);
        }
    }

    fn ended(&self, outage: bool, now: Duration) -> Option<bool> {
        if outage {
            self.last_try_millis.store(millis(now), Ordering::Relaxed);
            (self.outages.fetch_add(1, Ordering::Relaxed) + 1 == OUTAGES).then_some(false)
        } else if self.outages.load(Ordering::Relaxed) == 0 {
            None
        } else {
            (self.outages.swap(0, Ordering::Relaxed) >= OUTAGES).then_some(true)
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    #[test]
    fn three_outages_make_a_site_unhealthy_and_one_answer_heals_it() {
        let record = Record::default();
        assert_eq!((record.ended(true, START), record.ended(true, START)), (None, None));
        assert!(record.is_healthy(START));
        assert_eq!(record.ended(true, START), Some(false));
        assert!(!record.is_healthy(START));
        assert_eq!(record.ended(false, START), Some(true));
        assert!(record.is_healthy(START));
    }

    #[test]
    fn an_unhealthy_site_is_tried_by_one_request_at_a_time() {
        let record = Record::default();
        for _ in 0..3 {
            record.ended(true, START);
        }
        assert!(record.is_healthy(RETRY_AFTER), "time to try again");
        record.tries(RETRY_AFTER);
        assert!(!record.is_healthy(RETRY_AFTER), "somebody is trying already");
    }

    #[test]
    fn answers_between_outages_start_the_count_again() {
        let record = Record::default();
        for outage in [true, true, false, true, true] {
            assert_eq!(record.ended(outage, START), None);
        }
        assert!(record.is_healthy(START));
    }
}
