//! The id that ties a response, a log line, an event and a trace together.

/// 16 upper-case hex digits, as S3's own request ids look.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// From 64 random bits (the caller brings them: see `clock::random`).
    pub fn from_bits(bits: u64) -> Self {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = [0u8; 16];
        for (i, digit) in text.iter_mut().enumerate() {
            *digit = HEX[(bits >> (60 - 4 * i) & 0xf) as usize];
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("-")
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_upper_case_hex_digits() {
        assert_eq!(RequestId::from_bits(0x0123_4567_89ab_cdef).as_str(), "0123456789ABCDEF");
    }
}
