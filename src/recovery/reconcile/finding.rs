//! What was found of one object, in the symbols of `rclone check`
//! (<https://rclone.org/commands/rclone_check/>, `--combined`).
use crate::s3::BucketName;
use crate::site::{Location, SiteName};
use serde::Serialize;

/// The primary is "here", a backup is "there".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// `=`: the same at both.
    Same,
    /// `-`: missing at the primary.
    MissingHere,
    /// `+`: missing at the backup.
    MissingThere,
    /// `*`: different, or damaged at one of them.
    Differs,
    /// `!`: could not be compared.
    Error,
}

/// One object.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What.
    #[serde(serialize_with = "as_text")]
    pub symbol: Symbol,
    /// The backup that was compared with the primary.
    pub site: String,
    /// Its bucket.
    pub bucket: String,
    /// Its key; empty when a bucket could not be compared as a whole.
    pub key: String,
    /// What exactly, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The journal knows of it: the replication worker will see to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// It was repaired, and what was written was read back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
    /// The site that it was copied from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<String>,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// `=`.
    pub same: u64,
    /// `-`.
    pub missing_here: u64,
    /// `+`.
    pub missing_there: u64,
    /// `*`.
    pub differ: u64,
    /// `!`.
    pub errors: u64,
    /// Differences that were repaired.
    pub repaired: u64,
    /// Differences that the replication worker will see to.
    pub pending: u64,
}

// === impl Symbol ===

impl Symbol {
    /// The character.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Same => "=",
            Self::MissingHere => "-",
            Self::MissingThere => "+",
            Self::Differs => "*",
            Self::Error => "!",
        }
    }
}

fn as_text<S: serde::Serializer>(symbol: &Symbol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(symbol.text())
}

// === impl Finding ===

impl Finding {
    pub(super) fn new(site: &SiteName, at: &Location, symbol: Symbol) -> Self {
        Self {
            symbol,
            site: site.to_string(),
            bucket: at.bucket.to_string(),
            key: at.key.to_string(),
            why: None,
            pending: false,
            repaired: false,
            copied_from: None,
        }
    }

    pub(super) fn error(site: &SiteName, bucket: &BucketName, key: &str, why: String) -> Self {
        Self {
            symbol: Symbol::Error,
            site: site.to_string(),
            bucket: bucket.to_string(),
            key: key.to_owned(),
            why: Some(why),
            pending: false,
            repaired: false,
            copied_from: None,
        }
    }

    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }
}

impl std::fmt::Display for Finding {
    /// `SYMBOL SITE:BUCKET/KEY`, as rclone writes a remote path, and behind a tab what more there is to say.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A key may hold line ends; a line of the report may not.
        let key = self.key.escape_debug();
        write!(f, "{} {}:{}/{key}", self.symbol.text(), self.site, self.bucket)?;
        let state = match (self.repaired, self.pending) {
            (true, _) => Some("repaired"),
            (false, true) => Some("pending: replication will bring it"),
            _ => None,
        };
        for part in [state, self.why.as_deref()].into_iter().flatten() {
            write!(f, "\t{part}")?;
        }
        Ok(())
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn count(&mut self, finding: &Finding) {
        let place = match finding.symbol {
            Symbol::Same => &mut self.same,
            Symbol::MissingHere => &mut self.missing_here,
            Symbol::MissingThere => &mut self.missing_there,
            Symbol::Differs => &mut self.differ,
            Symbol::Error => &mut self.errors,
        };
        *place += 1;
        self.repaired += u64::from(finding.repaired);
        self.pending += u64::from(finding.pending);
    }

    /// Differences that were found and not repaired.
    pub fn left(&self) -> u64 {
        (self.missing_here + self.missing_there + self.differ).saturating_sub(self.repaired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_rclone_check_would_write() {
        let bucket = BucketName::parse("docs").expect("a name");
        let key = crate::s3::ObjectKey::parse("a\nb 字").expect("a key");
        let at = Location { bucket, key };
        let finding = Finding::new(&SiteName("backup".into()), &at, Symbol::MissingThere);
        assert_eq!(finding.to_string(), "+ backup:docs/a\\nb 字");
        let finding = Finding { repaired: true, ..finding.because("it was down") };
        assert_eq!(finding.to_string(), "+ backup:docs/a\\nb 字\trepaired\tit was down");
        let json = serde_json::to_string(&finding).expect("JSON");
        assert!(json.contains("\"symbol\":\"+\"") && json.contains("\"repaired\":true"), "{json}");
    }

    #[test]
    fn what_was_repaired_is_not_left() {
        let at = Location {
            bucket: BucketName::parse("docs").expect("a name"),
            key: crate::s3::ObjectKey::parse("k").expect("a key"),
        };
        let site = SiteName("backup".into());
        let mut tally = Tally::default();
        tally.count(&Finding::new(&site, &at, Symbol::Same));
        tally.count(&Finding::new(&site, &at, Symbol::Differs));
        tally.count(&Finding { repaired: true, ..Finding::new(&site, &at, Symbol::MissingThere) });
        assert_eq!((tally.same, tally.left(), tally.repaired), (1, 1, 1));
    }
}
