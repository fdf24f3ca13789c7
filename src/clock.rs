//! The ports for time and randomness: the only places where either is taken from the machine.
use time::OffsetDateTime;

/// The wall clock, UTC.
#[allow(clippy::disallowed_methods, reason = "this is the port")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Fills `out` from the operating system's generator.
///
/// # Errors
/// When the operating system has no randomness to give; nothing may be sealed then.
#[allow(clippy::disallowed_methods, reason = "this is the port")]
pub fn random(out: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(out).map_err(|_| RandomError)
}

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed; nothing can be sealed without it")]
pub struct RandomError;
