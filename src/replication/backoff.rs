//! How long to wait before the next try. A value: time and randomness come from outside.
use std::time::Duration;

/// Exponential back-off with jitter: the `n`-th failure in a row waits `base * 2^n`, at most `cap`, of which the share
/// `jitter` is random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackOff {
    /// The first wait.
    base: Duration,
    /// The longest wait.
    cap: Duration,
    /// Between 0 (none) and 1 (anything between nothing and the whole wait).
    jitter: f64,
}

// === impl BackOff ===

impl BackOff {
    /// `None` unless `0 < base <= cap`. Half of each wait is random.
    pub fn new(base: Duration, cap: Duration) -> Option<Self> {
        (!base.is_zero() && base <= cap).then_some(Self { base, cap, jitter: 0.5 })
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
        let back_off = BackOff::new(SECOND, SECOND * 300).expect("valid");
        let waits: Vec<_> = [0, 1, 2, 8, 9, 31, 32, u32::MAX].map(|n| back_off.wait(n, u32::MAX).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300, 300]);
    }

    #[test]
    fn half_of_a_wait_is_left_to_chance() {
        let back_off = BackOff::new(SECOND * 10, SECOND * 10).expect("valid");
        assert_eq!(back_off.wait(0, 0), SECOND * 5);
        assert_eq!(back_off.wait(0, u32::MAX), SECOND * 10);
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(BackOff::new(Duration::ZERO, SECOND), None);
        assert_eq!(BackOff::new(SECOND * 2, SECOND), None);
    }
}
