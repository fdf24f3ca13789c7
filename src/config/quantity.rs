//! Durations (`"250ms"`, `"5s"`) and sizes (`"8MiB"`) as people write them.
use std::time::Duration;

const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Parses a whole number and a unit: `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// Says what is accepted.
pub fn duration(text: &str) -> Result<Duration, String> {
    let millis = with_unit(text, &DURATIONS);
    millis.map(Duration::from_millis).ok_or_else(|| {
        format!("{text:?} is no duration; write a whole number and a unit (ms, s, m, h, d), for example \"5s\"")
    })
}

/// Parses a whole number and a unit: `B`, `KiB`, `MiB`, `GiB` or `TiB`. Bytes.
///
/// # Errors
/// Says what is accepted.
pub fn size(text: &str) -> Result<u64, String> {
    with_unit(text, &SIZES).ok_or_else(|| {
        format!("{text:?} is no size; write a whole number and a unit (B, KiB, MiB, GiB, TiB), for example \"8MiB\"")
    })
}

/// A duration as [`duration`] reads it, in the largest unit that is exact.
pub fn show_duration(value: Duration) -> String {
    show(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// A size as [`size`] reads it, in the largest unit that is exact.
pub fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

/// In the largest of the units (the smallest first) that is exact.
fn show(value: u64, units: &[(&str, u64)]) -> String {
    let exact = units.iter().rev().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    let (unit, factor) = exact.or(units.first()).unwrap_or(&("", 1));
    format!("{}{unit}", value / factor)
}

/// The number times its unit, when it fits; no sign, no fraction, no space, no second unit.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in [("250ms", 250), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, bytes) in [("7B", 7), ("16KiB", 16 << 10), ("8MiB", 8 << 20), ("1GiB", 1 << 30), ("50TiB", 50 << 40)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for bad in ["", "5", "s", "-5s", "1.5s", "5 s", "5S", "1h30m", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(duration(bad).is_err_and(|e| e.contains("\"5s\"")), "{bad}");
        }
        for bad in ["", "8", "8MB", "8mib", "8 MiB", "-1B", "18446744073709551615GiB"] {
            assert!(size(bad).is_err_and(|e| e.contains("\"8MiB\"")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_shown_duration_reads_back(millis in 0u64..1 << 50) {
            let value = Duration::from_millis(millis);
            prop_assert_eq!(duration(&show_duration(value)), Ok(value));
        }

        #[test]
        fn a_shown_size_reads_back(bytes: u64) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
            prop_assert_eq!(size(&show_size(bytes >> 20 << 20)), Ok(bytes >> 20 << 20));
        }

        #[test]
        fn reading_never_panics(text in ".{0,30}") {
            let _ = (duration(&text), size(&text));
        }
    }
}
