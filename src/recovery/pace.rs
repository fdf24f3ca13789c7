//! How fast sealed bytes are read: a limit that several readers share.
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A limit in bytes a second. Who takes bytes waits until those before it are paid for.
#[derive(Default)]
pub struct Pace {
    /// `None`: no limit.
    rate: Option<u64>,
    /// When the bytes taken so far are paid for.
    free: Mutex<Option<Instant>>,
}

// === impl Pace ===

impl Pace {
    /// `None`: as fast as it goes.
    pub fn new(bytes_a_second: Option<u64>) -> Self {
        Self { rate: bytes_a_second.filter(|rate| *rate > 0), free: Mutex::default() }
    }

    /// Waits until `bytes` more may be read.
    pub(super) async fn take(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let start = {
            let mut free = self.free.lock().await;
            let start = free.map_or_else(Instant::now, |free| free.max(Instant::now()));
            *free = Some(start + Duration::from_secs_f64(bytes as f64 / rate as f64));
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_are_paid_for_one_after_the_other_however_many_readers_there_are() {
        let (pace, started) = (Pace::new(Some(1000)), Instant::now());
        futures_util::future::join_all((0..4).map(|_| pace.take(500))).await;
        assert_eq!(started.elapsed().as_millis() / 10, 150, "three times half a second; the first is free");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let started = Instant::now();
        Pace::new(None).take(u64::MAX).await;
        Pace::new(Some(0)).take(u64::MAX).await;
        assert!(started.elapsed().is_zero());
    }
}
