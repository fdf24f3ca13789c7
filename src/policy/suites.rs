//! Which suites new objects may be sealed with, and which may be read.
use super::PolicyError;
use crate::s3::Suite;

/// The allow-lists. Neither is empty, and what may be written may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suites {
    write: Vec<Suite>,
    read: Vec<Suite>,
}

// === impl Suites ===

/// All of them, the first for rules that name none.
impl Default for Suites {
    fn default() -> Self {
        Self { write: Suite::ALL.to_vec(), read: Suite::ALL.to_vec() }
    }
}

impl Suites {
    /// Puts the lists together.
    ///
    /// # Errors
    /// When one is empty, or nobody could read what is written.
    pub fn new(write: Vec<Suite>, read: Vec<Suite>) -> Result<Self, PolicyError> {
        if write.is_empty() || read.is_empty() {
            return Err(PolicyError("a list of suites is empty; name at least one".to_owned()));
        }
        if let Some(suite) = write.iter().find(|suite| !read.contains(suite)) {
            return Err(PolicyError(format!(
                "nobody could read what is written with {suite}; take it out of the list for writing or into the one for reading"
            )));
        }
        Ok(Self { write, read })
    }

    /// The suite of rules that name none: the first of the list for writing.
    pub fn usual(&self) -> Suite {
        self.write.first().copied().unwrap_or_default()
    }

    /// Whether new objects may be sealed with it.
    pub fn may_write(&self, suite: Suite) -> bool {
        self.write.contains(&suite)
    }

    /// Whether objects that are sealed with it may be read.
    pub fn may_read(&self, suite: Suite) -> bool {
        self.read.contains(&suite)
    }

    /// Those for writing, as messages list them.
    pub fn written(&self) -> String {
        listed(&self.write)
    }
}

impl std::fmt::Display for Suites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "suites: written {}, read {}", listed(&self.write), listed(&self.read))
    }
}

fn listed(suites: &[Suite]) -> String {
    suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::Suite::{Aes256Gcm as Aes, Sm4Gcm as Sm4};
    use super::*;

    #[test]
    fn what_is_written_can_be_read_and_the_first_is_the_usual_one() {
        assert_eq!(Suites::default().usual(), Aes);
        let national = Suites::new(vec![Sm4], vec![Aes, Sm4]).expect("readable");
        assert_eq!((national.usual(), national.may_write(Aes), national.may_read(Aes)), (Sm4, false, true));
        assert_eq!(national.to_string(), "suites: written sm4-gcm, read aes-256-gcm, sm4-gcm");
        for (write, read) in [(vec![Aes, Sm4], vec![Sm4]), (vec![], vec![Aes]), (vec![], vec![])] {
            assert!(Suites::new(write, read).is_err());
        }
    }
}
