//! How long to wait after the n-th failure. A value; randomness comes from outside.
use std::time::Duration;

/// Doubles from `first` to `longest`, with the upper half of each pause left to chance so that retries spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
}

// === impl BackOff ===

impl BackOff {
    /// `None` unless `0 < first <= longest`.
    pub fn new(first: Duration, longest: Duration) -> Option<Self> {
        (!first.is_zero() && first <= longest).then_some(Self { first, longest })
    }

    /// The pause after `failures` failures (from 0); `chance` is any random number.
    pub fn pause(&self, failures: u32, chance: u64) -> Duration {
        let full = self.first.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX)).min(self.longest);
        let half = full / 2;
        half + half.mul_f64(chance as f64 / u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_never_exceed_it() {
        let back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(60)).expect("valid");
        assert_eq!(back_off.pause(0, u64::MAX), Duration::from_secs(1));
        assert_eq!(back_off.pause(3, u64::MAX), Duration::from_secs(8));
        assert_eq!(back_off.pause(3, 0), Duration::from_secs(4));
        for failures in [6, 31, 32, 33, u32::MAX] {
            assert_eq!(back_off.pause(failures, u64::MAX), Duration::from_secs(60));
        }
    }

    #[test]
    fn senseless_limits_are_refused() {
        assert_eq!(BackOff::new(Duration::ZERO, Duration::from_secs(1)), None);
        assert_eq!(BackOff::new(Duration::from_secs(2), Duration::from_secs(1)), None);
    }
}
