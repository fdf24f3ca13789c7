//! The configuration file: raw (what serde reads) -> [`Config`] (typed, checked, complete).
//!
//! Every fault of a file is reported at once, each with file, line, field and fix ([`ConfigError`]).
//! Relative paths are relative to the folder of the file. Secrets never stand in the file: it names the
//! private files or environment variables that hold them, and they are read here, so that `check` finds
//! a missing one. `config/strongroom.example.toml` documents every key.
mod custodians;
mod keys;
mod problem;
mod quantity;
mod raw;
mod recovery;
mod rules;
mod settings;
mod shape;
mod sites;
mod state;
mod suites;
mod validate;
mod value;

pub use problem::{ConfigError, Problem};
pub use quantity::{show_duration, size};
pub use settings::{
    Config, DrillReport, Intents, Keys, Limits, Listen, LogFormat, LogTarget, Logs, Pace, Reconcile, Retry, StatePlace,
    TlsFiles,
};

use problem::Problems;
use std::path::Path;

/// Where environment variables come from; tests bring their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

// === impl Config ===

impl Config {
    /// Reads and checks a file, with the environment of the process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: file.to_owned(),
            problems: vec![Problem {
                line: None,
                field: String::new(),
                what: format!("the file cannot be read: {e}"),
                fix: "name an existing file with --config, or write one with `strongroom init`".to_owned(),
            }],
        })?;
        Self::parse(&text, file, &|name| std::env::var(name).ok())
    }

    /// Checks a text as if it stood in `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut problems = Problems::new(text);
        let raw = shape::read(text, &mut problems);
        let config = raw.map(|raw| validate::validate(&raw, file, environment, &mut problems));
        problems.into_result(file)?;
        config.flatten().ok_or_else(|| ConfigError { file: file.to_owned(), problems: Vec::new() })
    }
}

#[cfg(test)]
mod tests;
