//! How many bytes a second all copies together may send.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A shared allowance. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Throttle {
    limit: Option<Arc<Limit>>,
}

struct Limit {
    bytes_per_second: u64,
    /// When everything that was let through has had its time.
    free_at: Mutex<Instant>,
}

// === impl Throttle ===

impl Throttle {
    /// `None`: no limit.
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        let limit = bytes_per_second
            .filter(|limit| *limit > 0)
            .map(|bytes_per_second| Arc::new(Limit { bytes_per_second, free_at: Mutex::new(Instant::now()) }));
        Self { limit }
    }

    /// Waits for its turn; so many bytes may be sent then. Turns are given in the order in which they are asked for.
    pub(super) async fn pass(&self, bytes: usize) {
        if let Some(limit) = &self.limit {
            tokio::time::sleep_until(limit.turn(bytes, Instant::now())).await;
        }
    }
}

// === impl Limit ===

impl Limit {
    fn turn(&self, bytes: usize, now: Instant) -> Instant {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = now.max(*free_at);
        *free_at = turn + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_of_all_who_ask_share_the_allowance() {
        let throttle = Throttle::new(Some(1000));
        let started = Instant::now();
        let pass = async |times: usize| {
            for _ in 0..times {
                throttle.pass(500).await;
            }
        };
        tokio::join!(pass(5), pass(5));
        // The tenth turn begins when nine have had half a second each.
        assert_eq!(started.elapsed().as_millis() / 100, 45);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits_and_a_pause_is_not_saved_up() {
        let started = Instant::now();
        Throttle::new(None).pass(usize::MAX).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        let throttle = Throttle::new(Some(10));
        tokio::time::sleep(Duration::from_secs(100)).await;
        let started = Instant::now();
        for _ in 0..3 {
            throttle.pass(10).await;
        }
        assert_eq!(started.elapsed().as_secs(), 2);
    }
}
