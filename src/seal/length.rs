//! Lengths. The sealed length is a function of the plain length alone, so that listings show exact plain sizes by arithmetic.
//!
//! ```text
//! C(P) = P + 16 * (floor(P / 16384) + 1) + 684 + 160 * floor(P / 5 MiB)
//! 684  = first message's header 56 + trailer 528 + the index's tag 16 + its first entry 84
//! 160 >= 56 + 16 + 84: the most that one more part of 5 MiB or more can add
//! ```
use super::aead::TAG;
use super::error::SealError;
use crate::s3::{PlainLen, SealedLen};

/// Bytes of plaintext in one full chunk.
pub const CHUNK: u64 = 16 * 1024;
/// Bytes of a full chunk, sealed.
pub(super) const SEALED_CHUNK: u64 = CHUNK + TAG as u64;
/// Bytes of a message's header: salt and commitment.
pub(super) const HEADER: u64 = 56;
/// Bytes of the trailer, the last bytes of every sealed object.
pub const TRAILER_LEN: u64 = 528;
/// The smallest part a multipart upload may have, except the last (bytes of plaintext).
pub const MIN_PART: u64 = 5 * 1024 * 1024;
/// The largest object (bytes of plaintext): 5 TiB.
pub const MAX_OBJECT: u64 = 5 * 1024 * 1024 * 1024 * 1024;
/// The most parts an object may have.
pub const MAX_PARTS: usize = 10_000;
/// Bytes of one index entry.
pub(super) const ENTRY: u64 = 84;

const FIXED: u64 = HEADER + TRAILER_LEN + TAG as u64 + ENTRY;
const RESERVE: u64 = 160;

/// `C(P)`: the sealed length of an object of `plain` bytes, whatever its parts.
///
/// # Errors
/// [`SealError::TooLarge`] above [`MAX_OBJECT`].
pub fn sealed_len(plain: PlainLen) -> Result<SealedLen, SealError> {
    if plain.0 > MAX_OBJECT {
        return Err(SealError::TooLarge("objects end at 5 TiB"));
    }
    Ok(SealedLen(canonical(plain.0)))
}

/// The inverse of [`sealed_len`]; `None` when no plain length seals to `sealed`.
pub fn plain_len(sealed: SealedLen) -> Option<PlainLen> {
    // Without the floors, C(P) = P * (1 + 16/16384 + 160/5242880) + 700; in units of 1/32768 the slope is
    // 32768 + 32 + 1. Each floor takes away less than one step of 16 or 160, so the guess is less than 180 too small, and
    // never too large.
    let rest = sealed.0.checked_sub(canonical(0))?;
    let guess = u64::try_from(u128::from(rest) * 32_768 / 32_801).ok()?;
    let candidates = guess..=guess.saturating_add(2 * (16 + RESERVE));
    let (mut low, mut high) = (*candidates.start(), (*candidates.end()).min(MAX_OBJECT));
    while low < high {
        let middle = low + (high - low) / 2;
        if canonical(middle) < sealed.0 { low = middle + 1 } else { high = middle }
    }
    (low <= MAX_OBJECT && canonical(low) == sealed.0).then_some(PlainLen(low))
}

/// The sealed length of one message (one client part) of `plain` bytes, header and tags included.
pub fn message_len(plain: PlainLen) -> SealedLen {
    SealedLen(HEADER.saturating_add(plain.0).saturating_add(TAG as u64 * (plain.0 / CHUNK + 1)))
}

fn canonical(plain: u64) -> u64 {
    plain + TAG as u64 * (plain / CHUNK + 1) + FIXED + RESERVE * (plain / MIN_PART)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_worked_examples_of_the_format_hold() {
        for (plain, sealed) in [(0, 700), (1, 701), (16_383, 17_083), (16_384, 17_100), (MIN_PART, 5_248_860)] {
            assert_eq!(sealed_len(PlainLen(plain)), Ok(SealedLen(sealed)), "{plain}");
        }
    }

    #[test]
    fn objects_end_at_five_tebibytes() {
        let longest = sealed_len(PlainLen(MAX_OBJECT)).expect("5 TiB is allowed");
        assert_eq!(plain_len(longest), Some(PlainLen(MAX_OBJECT)));
        assert!(sealed_len(PlainLen(MAX_OBJECT + 1)).is_err());
        assert_eq!(plain_len(SealedLen(longest.0 + 1)), None);
        assert_eq!(plain_len(SealedLen(u64::MAX)), None);
        assert_eq!(plain_len(SealedLen(699)), None);
    }

    #[test]
    fn every_short_length_inverts_and_every_gap_is_refused() {
        let mut next = 0;
        for sealed in 0..200_000 {
            let expected = (next <= 200_000 && canonical(next) == sealed).then(|| PlainLen(next));
            assert_eq!(plain_len(SealedLen(sealed)), expected, "sealed length {sealed}");
            next += u64::from(expected.is_some());
        }
    }

    proptest! {
        #[test]
        fn inversion_is_exact_up_to_five_tebibytes(plain in 0..=MAX_OBJECT) {
            let sealed = sealed_len(PlainLen(plain)).expect("within the limit");
            prop_assert_eq!(plain_len(sealed), Some(PlainLen(plain)));
        }

        #[test]
        fn borders_of_chunks_and_parts_invert(parts in 0..1_048_576u64, chunks in 0..320u64, off in -2i64..=2) {
            let plain = (parts * MIN_PART + chunks * CHUNK).saturating_add_signed(off).min(MAX_OBJECT);
            prop_assert_eq!(plain_len(SealedLen(canonical(plain))), Some(PlainLen(plain)));
            let strictly = plain == 0 || canonical(plain - 1) < canonical(plain);
            prop_assert!(strictly);
        }
    }
}
