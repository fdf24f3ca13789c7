//! Object lock, in S3's words (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>).
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The header that says how firmly.
pub const MODE: &str = "x-amz-object-lock-mode";
/// The header that says until when.
pub const UNTIL: &str = "x-amz-object-lock-retain-until-date";

/// How firmly a version is kept. The later is the firmer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Whoever has the permission to bypass it may end it.
    #[default]
    Governance,
    /// Nobody may end it.
    Compliance,
}

/// Until when a version is kept, and how firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// How firmly.
    pub mode: LockMode,
    /// Not before then is it deleted.
    pub until: OffsetDateTime,
}

// === impl LockMode ===

impl LockMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Governance, Self::Compliance];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        }
    }

    /// S3's word.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

// === impl Lock ===

impl Lock {
    /// Of the two headers' values; `None` when they make none.
    pub fn parse(mode: &str, until: &str) -> Option<Self> {
        let mode = LockMode::ALL.into_iter().find(|known| known.value() == mode)?;
        Some(Self { mode, until: OffsetDateTime::parse(until, &Rfc3339).ok()? })
    }

    /// The two headers, sorted.
    pub fn headers(self) -> [(&'static str, String); 2] {
        let until = self.until.to_offset(time::UtcOffset::UTC);
        let (year, month, day) = until.to_calendar_date();
        let (hour, minute, second) = until.to_hms();
        let until = format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z", u8::from(month));
        [(MODE, self.mode.value().to_owned()), (UNTIL, until)]
    }

    /// What keeps as long and as firmly as both.
    pub fn stricter(self, other: Self) -> Self {
        Self { mode: self.mode.max(other.mode), until: self.until.max(other.until) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn headers_read_back() {
        let lock = Lock { mode: LockMode::Compliance, until: datetime!(2056-11-28 22:20:05 UTC) };
        let [(_, mode), (_, until)] = lock.headers();
        assert_eq!((mode.as_str(), until.as_str()), ("COMPLIANCE", "2056-11-28T22:20:05.000Z"));
        assert_eq!(Lock::parse(&mode, &until), Some(lock));
        assert_eq!(Lock::parse("compliance", &until), None);
        assert_eq!(Lock::parse(&mode, "tomorrow"), None);
    }

    #[test]
    fn the_stricter_of_two_is_as_long_and_as_firm_as_each() {
        let long = Lock { mode: LockMode::Governance, until: datetime!(2030-01-01 0:00 UTC) };
        let firm = Lock { mode: LockMode::Compliance, until: datetime!(2027-01-01 0:00 UTC) };
        assert_eq!(long.stricter(firm), Lock { mode: LockMode::Compliance, until: long.until });
        assert_eq!(firm.stricter(long), long.stricter(firm));
    }
}
