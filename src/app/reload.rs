//! The rules, read again: on SIGHUP, and when the configuration file changes. All of them or none: a file that is not good changes
//! nothing. Recorded in the program's log and as an event: who wrote the file, when, and how the rules differ.
use crate::audit::AuditLog;
use crate::clock;
use crate::config::Config;
use crate::policy::{Change, LiveRules, RuleSet};
use serde::Serialize;
use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::Signal;

/// Between two looks at the file.
const PAUSE: Duration = Duration::from_secs(2);

/// Keeps the rules as the file says.
pub(super) struct Reload {
    pub(super) file: PathBuf,
    pub(super) rules: Arc<LiveRules>,
    pub(super) audit: AuditLog,
}

/// What a reload leaves in the event log.
#[derive(Serialize)]
struct Event<'a> {
    time: String,
    operation: &'static str,
    outcome: &'static str,
    /// What made the proxy read the file.
    trigger: &'static str,
    file: &'a str,
    /// The user that owns the file, as a number.
    owner: Option<u32>,
    file_changed: Option<String>,
    policy_before: &'a str,
    policy: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    diff: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// Tells one state of the file from another without reading it: identity, length, time of change.
type Stamp = Option<(u64, u64, i64, i64)>;

// === impl Reload ===

impl Reload {
    /// For ever.
    pub(super) async fn run(self, mut hangup: Signal) -> Infallible {
        let mut seen = stamp(&self.file);
        loop {
            let trigger = tokio::select! {
                Some(()) = hangup.recv() => "SIGHUP",
                () = tokio::time::sleep(PAUSE) => "file",
            };
            let now = stamp(&self.file);
            if trigger == "file" && now == seen {
                continue;
            }
            seen = now;
            self.once(trigger).await;
        }
    }

    async fn once(&self, trigger: &'static str) {
        let before = self.rules.current();
        let file = self.file.clone();
        // Secrets are read from files, too.
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::load(&file).map_err(|error| error.to_string())?;
            RuleSet::new(config.rules, config.suites).map_err(|error| error.to_string())
        });
        let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
        let path = self.file.display().to_string();
        let (change, error) = match read {
            Ok(rules) => (self.rules.replace(rules), None),
            Err(error) => (Change::default(), Some(error)),
        };
        let after = self.rules.current();
        let about = std::fs::metadata(&self.file).ok();
        let owner = about.as_ref().map(MetadataExt::uid);
        match &error {
            Some(error) => {
                tracing::error!(trigger, file = path, ?owner, %error, "the rules are not good; those in force stay")
            }
            None if change.is_empty() => {
                tracing::info!(trigger, file = path, policy = after.version(), "the rules are as they were")
            }
            None => {
                let (policy, policy_before) = (after.version(), before.version());
                tracing::info!(trigger, file = path, ?owner, policy, policy_before, diff = ?change.lines, "the rules were replaced");
            }
        }
        if error.is_none() && change.is_empty() {
            return;
        }
        let changed = about.and_then(|about| OffsetDateTime::from_unix_timestamp(about.mtime()).ok());
        let event = Event {
            time: clock::now().format(&Rfc3339).unwrap_or_default(),
            operation: "PolicyReload",
            outcome: if error.is_none() { "ok" } else { "refused" },
            trigger,
            file: &path,
            owner,
            file_changed: changed.and_then(|time| time.format(&Rfc3339).ok()),
            policy_before: before.version(),
            policy: after.version(),
            diff: &change.lines,
            error: error.as_deref(),
        };
        let line = serde_json::to_string(&event).unwrap_or_default() + "\n";
        if self.audit.note(line).await.is_err() {
            tracing::error!("a change of the rules is not in the event log: it is closed");
        }
    }
}

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
}
