//! The one error of the state, and what SQLite's codes mean for us.

/// A state failure: the operation must answer 503, nothing acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("state database: {0}")]
pub struct StateError(pub String);

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB` (<https://www.sqlite.org/rescode.html>).
const DAMAGED: [i32; 2] = [11, 26];

// === impl StateError ===

impl StateError {
    /// A row that this build cannot have written.
    pub(super) fn unreadable(what: &str) -> Self {
        Self(format!("a row does not make sense ({what}); the file was changed by something else"))
    }
}

impl From<sqlx::Error> for StateError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

/// True when a SQLite file itself is broken, not merely busy, full or read-only.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| DAMAGED.contains(&(code & 0xff)))
}
