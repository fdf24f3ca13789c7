//! Why an object is kept the way it is: every rule up to the one that decided.
use super::{Plan, Unmet};

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub plan: Plan,
    /// The rules that were tried before.
    pub passed_over: Vec<PassedOver>,
    /// What the rule is for, that decided; `None` when the default did.
    pub matched: Option<String>,
}

/// A rule that did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its name.
    pub name: String,
    /// What it is for: its pattern, and what it asks of headers.
    pub place: String,
    /// Why it did not.
    pub why: Why,
}

/// Why a rule did not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is for other paths.
    Path,
    /// It is for other writes.
    Headers(Unmet),
    /// It is for writes with these headers, and this is no write.
    NoWrite,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for PassedOver { name, place, why } in &self.passed_over {
            match why {
                Why::Path => writeln!(f, "rule {name} ({place}) does not match")?,
                Why::Headers(unmet) => writeln!(f, "rule {name} ({place}) does not match: {unmet}")?,
                Why::NoWrite => writeln!(f, "rule {name} ({place}) decides for writes with these headers only")?,
            }
        }
        match &self.matched {
            Some(place) => write!(f, "rule {} ({place}) decides: ", self.plan.rule)?,
            None => write!(f, "no rule matches, the default decides: ")?,
        }
        match &self.plan.key {
            Ok(key) => write!(f, "key {key}, ")?,
            Err(unfit) => write!(f, "nothing can be written there ({unfit}), ")?,
        }
        write!(f, "suite {}, {}", self.plan.terms.suite, self.plan.terms)
    }
}
