//! How long to wait before the next try. A value: time and randomness come from outside.
use std::time::Duration;

/// Exponential back-off with jitter: the `n`-th failure in a row waits `base * 2^n`, at most `cap`, of which the share
/// `jitter` is random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first wait.
    base: Duration,
    /// The longest wait.
    cap: Duration,
    /// Between 0 (none) and 1 (anything between nothing and the whole wait).
    jitter: f64,
}

/// Values that make no back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// A zero base would hammer a site that is down.
    #[error("the first wait of a back-off must be longer than zero")]
    ZeroBase,
    /// The cap is below the base.
    #[error("the longest wait of a back-off must not be shorter than the first")]
    CapBelowBase,
    /// Not between 0 and 1.
    #[error("the jitter of a back-off must be between 0 and 1")]
    Jitter,
}

// === impl Backoff ===

impl Backoff {
    /// Checked.
    ///
    /// # Errors
    /// See [`BackoffError`].
    pub fn new(base: Duration, cap: Duration, jitter: f64) -> Result<Self, BackoffError> {
        if base.is_zero() {
            return Err(BackoffError::ZeroBase);
        }
        if cap < base {
            return Err(BackoffError::CapBelowBase);
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(BackoffError::Jitter);
        }
        Ok(Self { base, cap, jitter })
    }

    /// What the journal's rows wait: 1 second to 5 minutes, half of it random.
    pub const fn rows() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(300), jitter: 0.5 }
    }

    /// What a site that is down is left alone: 1 to 30 seconds, half of it random.
    pub const fn sites() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(30), jitter: 0.5 }
    }

    /// The wait after `failures` earlier failures (0: this was the first); `random` is any uniform number.
    pub fn wait(&self, failures: u32, random: u32) -> Duration {
        let factor = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
        let whole = self.base.saturating_mul(factor).min(self.cap);
        let share = f64::from(random) / f64::from(u32::MAX);
        whole.mul_f64(1.0 - self.jitter * (1.0 - share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_cap_and_stay_there() {
        let backoff = Backoff::new(SECOND, SECOND * 300, 0.5).expect("valid");
        let waits: Vec<_> = [0, 1, 2, 8, 9, 31, 32, u32::MAX].map(|n| backoff.wait(n, u32::MAX).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300, 300]);
    }

    #[test]
    fn the_jitter_takes_at_most_its_share() {
        let backoff = Backoff::new(SECOND * 10, SECOND * 10, 0.5).expect("valid");
        assert_eq!(backoff.wait(0, 0), SECOND * 5);
        assert_eq!(backoff.wait(0, u32::MAX), SECOND * 10);
        assert_eq!(Backoff::new(SECOND, SECOND, 0.0).expect("valid").wait(0, 0), SECOND);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Backoff::new(Duration::ZERO, SECOND, 0.5), Err(BackoffError::ZeroBase));
        assert_eq!(Backoff::new(SECOND * 2, SECOND, 0.5), Err(BackoffError::CapBelowBase));
        for jitter in [-0.1, 1.1, f64::NAN] {
            assert_eq!(Backoff::new(SECOND, SECOND, jitter), Err(BackoffError::Jitter));
        }
    }
}
