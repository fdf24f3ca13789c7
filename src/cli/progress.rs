//! Progress of long jobs: a bar on a terminal, failures as lines on standard error either way.
use crate::recovery::adopt::{self, AdoptError, Fate};
use crate::recovery::unseal::{Observer, UnsealError};
use crate::s3::PlainLen;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;

/// The same over the plain bytes of a bucket.
pub(super) struct AdoptBar(Bar);

/// A bar over sealed bytes; hidden when standard error is no terminal.
pub(super) struct Bar {
    bar: ProgressBar,
}

/// Counts where nobody knows how many there will be.
pub(super) struct Counter {
    bar: ProgressBar,
}

// === impl Counter ===

impl Counter {
    /// `what` is counted.
    pub(super) fn new(what: &str) -> Self {
        let bar = Bar::new().bar;
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} {msg} ({per_sec}, {elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self { bar }
    }

    /// One more.
    pub(super) fn one(&self) {
        self.bar.inc(1);
    }

    /// A line on standard error that the bar does not write over.
    pub(super) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

// === impl Bar ===

impl Bar {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bar: ProgressBar::with_draw_target(None, target) }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Bar {
    fn start(&self, bytes: u64, what: String) {
        self.bar.set_length(bytes);
        let style = ProgressStyle::with_template(
            "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}",
        );
        if let Ok(style) = style {
            self.bar.set_style(style);
        }
        self.bar.set_message(what);
    }
}

impl Observer for Bar {
    fn total(&mut self, files: u64, sealed_bytes: u64) {
        self.start(sealed_bytes, format!("{files} files"));
    }

    fn read(&mut self, sealed_bytes: u64) {
        self.bar.inc(sealed_bytes);
    }

    fn done(&mut self, file: &Path, _plain: PlainLen) {
        self.bar.set_message(file.display().to_string());
    }

    fn failed(&mut self, file: &Path, error: &UnsealError) {
        self.bar.suspend(|| eprintln!("failed: {}: {error}", file.display()));
    }
}

// === impl AdoptBar ===

impl AdoptBar {
    pub(super) fn new() -> Self {
        Self(Bar::new())
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.0.finish();
    }
}

impl adopt::Observer for AdoptBar {
    fn total(&mut self, objects: u64, bytes: u64) {
        self.0.start(bytes, format!("{objects} objects"));
    }

    fn done(&mut self, key: &str, bytes: u64, fate: &Result<Fate, AdoptError>) {
        let bar = &self.0.bar;
        bar.inc(bytes);
        bar.set_message(key.to_owned());
        match fate {
            Err(error) => bar.suspend(|| eprintln!("failed: {key}: {error}")),
            Ok(Fate::Changed) => bar.suspend(|| eprintln!("changed meanwhile: {key}")),
            Ok(_) => {}
        }
    }
}
