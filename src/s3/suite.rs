//! Suites: which algorithms an object is sealed with. `docs/FORMAT.md` says what each uses where.

/// A suite of the sealed-object format, by its number there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// 1: AES-256-GCM (NIST SP 800-38D) with HKDF-SHA-512 (RFC 5869).
    #[default]
    Aes256Gcm = 1,
    /// 2: SM4-GCM (RFC 8998, GB/T 32907) with HKDF-SM3 (RFC 5869 over GB/T 32905).
    Sm4Gcm = 2,
}

// === impl Suite ===

impl Suite {
    /// Every suite there is.
    pub const ALL: &'static [Self] = &[Self::Aes256Gcm, Self::Sm4Gcm];

    /// The byte in the trailer.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The suite of a trailer's byte; `None` for one that this build does not know.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Aes256Gcm),
            2 => Some(Self::Sm4Gcm),
            _ => None,
        }
    }

    /// Its name wherever people meet it: configuration, headers, logs, labels of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::Sm4Gcm => "sm4-gcm",
        }
    }
}

impl std::fmt::Display for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_suites_belong_together() {
        for number in 0..=u8::MAX {
            let found = Suite::ALL.iter().find(|suite| suite.number() == number).copied();
            assert_eq!(Suite::from_number(number), found, "{number}");
        }
        assert_eq!(Suite::ALL.iter().map(|suite| suite.number()).collect::<Vec<_>>(), [1, 2]);
    }
}
