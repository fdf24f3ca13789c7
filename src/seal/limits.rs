//! How much may be sealed under one key: the suites' limits, as constants with their arithmetic. The same for both suites, because both are GCM over
//! a cipher with blocks of 128 bits: AES-256 (NIST SP 800-38D), SM4 (RFC 8998, which takes GCM over as it is).
//!
//! | key | used for | limit | why |
//! |---|---|---|---|
//! | a message's | one message: a part, or a whole plain PUT | [`MAX_CHUNKS`] chunks of [`CHUNK`] bytes | the nonces count up from a base (the deterministic construction of SP 800-38D, 8.2.1), so none repeats before the counter does; C2SP chunked-encryption@v1 stops at 2^38 |
//! | the same | one chunk | [`MAX_INVOCATION`] bytes | SP 800-38D, 5.2.1.1: at most 2^39 - 256 bits in one invocation, else the block counter repeats |
//! | a data key | deriving the keys of messages, index, trailer, metadata (HKDF) | none that can be met | it encrypts nothing itself; salts have 24 random bytes, so two of 2^64 messages share one with a probability of 2^-65 |
//! | a vault key's version | deriving the key of each object's wrap (HKDF, the object's random 16-byte id) | [`OBJECTS_PER_VERSION`] objects | see below |
//!
//! **Objects.** Two of n ids of 128 bits are equal with a probability of n^2 / 2^129: for n = 2^48 that is 2^-33, and it would then still take the same
//! random 96-bit nonce of the wrap to do harm. SP 800-38D, section 8 asks for a probability of at most 2^-32 that one key meets one nonce twice,
//! and 8.3 gets it for a key that is used directly by allowing 2^32 random nonces. With ids and nonces together (224 bits), 2^48 objects are at
//! 2^-129: the limit is where ids alone keep the standard's promise.
//!
//! **Bytes.** No plaintext of a client is encrypted under a vault key, so the suites set no limit of bytes for its versions; an operator may
//! (`keys.rotate_after_bytes`). An object of 5 TiB in one message has 2^38.3 blocks under one key: what GCM's security loses by them is
//! (2^38.3)^2 / 2^129 = 2^-52.
use super::length::{CHUNK, MAX_OBJECT, MAX_PARTS};

/// The most objects whose data keys one version of a vault key wraps: 2^48.
pub const OBJECTS_PER_VERSION: u64 = 1 << 48;
/// The most chunks of one message: C2SP's 2^38 (4 PiB).
pub(super) const MAX_CHUNKS: u64 = 1 << 38;
/// The most bytes of one invocation of GCM: 2^39 - 256 bits.
const MAX_INVOCATION: u64 = (1 << 36) - 32;

// The format keeps far inside: its largest object in one message, and its largest index.
const _: () = assert!(MAX_OBJECT / CHUNK < MAX_CHUNKS);
const _: () = assert!(CHUNK <= MAX_INVOCATION);
const _: () = assert!(84 * (MAX_PARTS as u64) < MAX_INVOCATION);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_nonces_would_end() {
        use crate::seal::derive::Expander;
        use crate::seal::message::ChunkCipher;
        use crate::seal::{SealError, Suite};
        use crate::secret::SecretBytes;
        for suite in Suite::ALL {
            let derived = Expander::new(*suite, &SecretBytes::new([7; 32])).and_then(|key| key.derive(&[b"a test"]));
            let derived = derived.unwrap_or_else(|error| panic!("{error}"));
            let mut chunk = bytes::BytesMut::new();
            let mut at = |chunk_number| {
                let cipher = ChunkCipher::starting_at(&derived, chunk_number);
                cipher.and_then(|mut cipher| cipher.open(&[0; 32], &mut chunk))
            };
            assert!(matches!(at(MAX_CHUNKS - 1), Err(SealError::Authentication(_))), "the last one is looked at");
            assert!(matches!(at(MAX_CHUNKS), Err(SealError::TooLarge(_))), "no nonce is used twice");
        }
    }

    /// log2 of n^2 / 2^(bits + 1), the birthday bound.
    fn collision(n: u64, bits: f64) -> f64 {
        2.0 * (n as f64).log2() - (bits + 1.0)
    }

    #[test]
    fn at_the_limit_of_objects_the_standards_probability_is_kept_and_twice_as_many_would_break_it_soon() {
        assert!(collision(OBJECTS_PER_VERSION, 128.0) <= -32.0);
        assert!(collision(OBJECTS_PER_VERSION * 2, 128.0) > -32.0);
        assert!(collision(OBJECTS_PER_VERSION, 128.0 + 96.0) < -128.0);
        // The same reckoning gives the standard's own number for a key that is used directly.
        assert!(collision(1 << 32, 96.0) <= -32.0 && collision(1 << 33, 96.0) > -32.0);
    }
}
