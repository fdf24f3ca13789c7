//! How long a rule wants its objects kept, from when they were written. PURE.
use super::PolicyError;
use crate::s3::{Lock, LockMode};
use time::{Duration, OffsetDateTime};

/// What S3 takes at most (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DefaultRetention.html>).
const MOST_YEARS: u16 = 100;
const MOST_DAYS: u16 = 36_500;

/// A rule's `retention` and `retention_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    term: Term,
    mode: LockMode,
}

/// A class of retention: `90d`, `30y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Days(u16),
    /// Of the calendar.
    Years(u16),
}

// === impl Retention ===

impl Retention {
    /// Reads `90d` or `30y`; governance.
    ///
    /// # Errors
    /// For anything else, and for more than S3 takes.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let refused = || {
            let fix =
                format!("write days or years, for example \"90d\" or \"30y\", at most {MOST_DAYS}d or {MOST_YEARS}y");
            PolicyError(format!("{text:?} is no retention; {fix}"))
        };
        let number = |digits: &str, most: u16| {
            let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|number| sound && (1..=most).contains(number)).ok_or_else(refused)
        };
        let term = match (text.strip_suffix('d'), text.strip_suffix('y')) {
            (Some(days), _) => Term::Days(number(days, MOST_DAYS)?),
            (_, Some(years)) => Term::Years(number(years, MOST_YEARS)?),
            _ => return Err(refused()),
        };
        Ok(Self { term, mode: LockMode::default() })
    }

    /// The same, as firm as that.
    #[must_use]
    pub fn with_mode(self, mode: LockMode) -> Self {
        Self { mode, ..self }
    }

    /// Of an object that was written then.
    pub fn lock(self, written: OffsetDateTime) -> Lock {
        let until = match self.term {
            Term::Days(days) => written + Duration::days(days.into()),
            Term::Years(years) => {
                let year = written.year() + i32::from(years);
                // What was written on 29 February is kept to 1 March.
                let later = || written + Duration::days(1);
                written.replace_year(year).or_else(|_| later().replace_year(year)).unwrap_or(written)
            }
        };
        Lock { mode: self.mode, until }
    }
}

impl std::fmt::Display for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.term {
            Term::Days(days) => write!(f, "{days}d")?,
            Term::Years(years) => write!(f, "{years}y")?,
        }
        write!(f, " ({})", self.mode.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn days_and_calendar_years() {
        let until = |text: &str, written| Retention::parse(text).map(|class| class.lock(written).until);
        assert_eq!(until("90d", datetime!(2026-11-28 12:00 UTC)), Ok(datetime!(2027-02-26 12:00 UTC)));
        assert_eq!(until("30y", datetime!(2026-11-28 12:00 UTC)), Ok(datetime!(2056-11-28 12:00 UTC)));
        assert_eq!(until("1y", datetime!(2028-02-29 12:00 UTC)), Ok(datetime!(2029-03-01 12:00 UTC)));
        assert_eq!(until("4y", datetime!(2028-02-29 12:00 UTC)), Ok(datetime!(2032-02-29 12:00 UTC)));
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for bad in ["", "30", "y", "0y", "101y", "36501d", "-1d", "+1d", "1.5y", "30Y", "30 y", "1m", "99999999d"] {
            assert!(Retention::parse(bad).is_err_and(|error| error.0.contains("\"30y\"")), "{bad}");
        }
    }
}
