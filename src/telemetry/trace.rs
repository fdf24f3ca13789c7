//! The program's own log: to standard error, as text or JSON, each line of a request under its `request_id`.
//!
//! Redaction is by construction: only this program's own lines are free to speak (and log no secret, no key of an
//! object, no header). Other crates are heard from `WARN` on, whatever the level asked for, since they print
//! requests and headers at finer levels; `s3s` never is, since it prints bodies and logs every unauthenticated
//! request as an error. What it has to say reaches the log through the front.
use std::io::IsTerminal;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter};

/// Overrides the configured level, for example `debug` or `strongroom::site=trace`.
const LEVEL_VARIABLE: &str = "STRONGROOM_LOG";

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The log could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The level or filter does not parse.
    #[error("the log level {0:?} is not understood: {1}")]
    Level(String, filter::ParseError),
    /// Something else logs already.
    #[error("the log is already started: {0}")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts the log at `level` (`error` to `trace`); the environment variable `STRONGROOM_LOG` overrides it.
///
/// # Errors
/// When the level does not parse, or a log was started before.
pub fn start_tracing(level: &str, format: Format) -> Result<(), TraceError> {
    let wanted = std::env::var(LEVEL_VARIABLE).unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::builder().parse(&wanted).map_err(|error| TraceError::Level(wanted, error))?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let lines = lines.with_filter(filter::filter_fn(may_speak));
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(())
}

/// Whether a line or span may reach the log, whatever level was asked for.
fn may_speak(metadata: &Metadata<'_>) -> bool {
    let krate = metadata.target().split("::").next().unwrap_or_default();
    match krate {
        "strongroom" => true,
        "s3s" => false,
        _ => *metadata.level() <= Level::WARN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no test panics with the lock").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn other_crates_are_heard_from_warnings_on_and_s3s_never() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let all = tracing_subscriber::registry().with(layer.with_filter(filter::filter_fn(may_speak)));
        tracing::subscriber::with_default(all, || {
            tracing::trace!(target: "strongroom::site", "own detail");
            tracing::info!(target: "hyper::proto", "header dump");
            tracing::warn!(target: "hyper::proto", "foreign warning");
            tracing::error!(target: "s3s::ops", "body dump");
        });
        let text = String::from_utf8(lines.0.lock().expect("no test panics with the lock").clone()).expect("UTF-8");
        assert!(text.contains("own detail") && text.contains("foreign warning"), "{text}");
        assert!(!text.contains("dump"), "{text}");
    }
}
