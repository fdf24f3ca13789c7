//! What is wrong with a configuration: every problem with its file, line, field and fix.
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; `None` when something is missing altogether.
    pub line: Option<usize>,
    /// The field, for example `site[1].endpoint` (the first `[[site]]` is `site[1]`). Empty for the file itself.
    pub field: String,
    /// What is wrong. Never holds a secret.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// Every problem of one file. Displays one line per problem: `file:line: field: what; fix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Its problems, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Collects problems while a file is read, and knows where its lines begin.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{file}:")?;
            if let Some(line) = problem.line {
                write!(f, "{line}:")?;
            }
            if !problem.field.is_empty() {
                write!(f, " {}:", problem.field)?;
            }
            write!(f, " {}; {}", problem.what, problem.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

// === impl Problems ===

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// At a byte offset of the text (`None`: nowhere in particular).
    pub(super) fn add(
        &mut self,
        at: Option<usize>,
        field: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let line = at.map(|offset| line_of(self.text, offset));
        self.found.push(Problem { line, field: field.into(), what: what.into(), fix: fix.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The error, in the order of the file, or nothing.
    pub(super) fn into_result(mut self, file: &Path) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|p| (p.line.unwrap_or(usize::MAX), p.field.clone()));
        self.found.dedup();
        Err(ConfigError { file: file.to_owned(), problems: self.found })
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_file_line_field_what_fix() {
        let mut problems = Problems::new("a\nb\n");
        problems.add(Some(2), "b", "is wrong", "mend it");
        problems.add(None, "c", "is missing", "add it");
        let error = problems.into_result(Path::new("x.toml")).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(error, "x.toml:2: b: is wrong; mend it\nx.toml: c: is missing; add it");
    }

    #[test]
    fn no_problem_is_no_error() {
        assert_eq!(Problems::new("").into_result(Path::new("x")), Ok(()));
    }

    #[test]
    fn an_offset_past_the_end_is_the_last_line() {
        assert_eq!(line_of("a\nb", 99), 2);
    }
}
