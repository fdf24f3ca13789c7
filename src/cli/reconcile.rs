//! `strongroom reconcile`: are the sites the same? And if not, make them.
use super::place::{self, Place};
use super::progress::Counter;
use crate::app;
use crate::config::LogFormat;
use crate::policy::LiveRules;
use crate::recovery::reconcile::{Finding, Reconcile as Job, Report, Symbol, Tally};
use crate::recovery::sample::Depth;
use crate::site::tee::{Miss, MissError, MissRecorder, Tee};
use anyhow::Context;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Compare every backup with the primary, object by object, and repair what differs.
///
/// Prints a line for each object, in the symbols of `rclone check`: `=` the same, `-` missing at the primary, `+` missing at
/// the backup, `*` different or damaged at one of them, `!` could not be compared. Exit code: 0 all the same (or
/// repaired), 1 differences are left, 2 something could not be compared, 64 bad usage.
#[derive(clap::Args)]
pub(super) struct Reconcile {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this bucket; may be given several times (default: all buckets of all sites).
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
    /// Only keys that begin so.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// Also read this share of the objects at both sites and authenticate every byte: 5% or 0.05.
    #[arg(long, value_name = "SHARE", conflicts_with = "all")]
    sample: Option<String>,
    /// Which sample; the same number gives the same one.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Read every object at both sites and authenticate every byte.
    #[arg(long)]
    all: bool,
    /// Copy from the good side what is missing, damaged or older at the other. What is copied has authenticated before.
    #[arg(long)]
    repair: bool,
    /// Where both sides are authentic and different, this site is right.
    #[arg(long, value_name = "SITE", requires = "repair")]
    prefer: Option<String>,
    /// Leave out the lines of objects that are the same.
    #[arg(long)]
    differences: bool,
    /// One JSON object a line, the last one the summary.
    #[arg(long)]
    json: bool,
    /// At most so many bytes a second are read, for example 10MiB.
    #[arg(long, value_name = "SIZE")]
    bandwidth: Option<String>,
    /// Objects looked at at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    parallel: usize,
}

/// Writes lines, and counts.
struct Lines<'a> {
    out: &'a mut (dyn Write + Send),
    counter: Counter,
    json: bool,
    differences: bool,
    /// The first failure to write; the comparison goes on, the exit code tells.
    failed: Option<io::Error>,
}

/// No one writes through this process, so there is nothing to record.
struct NoJournal;

// === impl Reconcile ===

impl Reconcile {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        place::judged(super::runtime()?.block_on(self.work()))
    }

    async fn work(&self) -> anyhow::Result<u8> {
        let place = Place::load(&self.config)?;
        let depth = place::depth(self.sample.as_deref(), self.seed, self.all)?;
        let prefer = self.prefer.as_deref().map(|name| place.site(name)).transpose()?;
        let pace = place::pace(self.bandwidth.as_deref())?;
        let sites: Vec<_> = place.sites.all().cloned().collect();
        let buckets = place.buckets(&self.bucket, &sites).await?;
        let opener = match depth {
            Depth::Listing if !self.repair => None,
            _ => Some(place.opener(&sites, pace).await?),
        };
        let rules = Arc::new(LiveRules::new(place.rules.clone()));
        let job = Job {
            tee: Tee::new(place.sites.clone(), Arc::new(NoJournal), Duration::ZERO).keeping(app::keeps(rules)),
            opener,
            state: place.state().await?,
            depth,
            repair: self.repair,
            prefer: prefer.map(|site| site.name().clone()),
            parallel: self.parallel,
        };
        let mut out = BufWriter::new(io::stdout());
        let counter = Counter::new("objects compared");
        let mut lines = Lines { out: &mut out, counter, json: self.json, differences: self.differences, failed: None };
        let tally = job.run(&buckets, &self.prefix, &mut lines).await;
        lines.end(&tally)?;
        Ok(match (tally.errors, tally.left()) {
            (0, 0) => place::GOOD,
            (0, _) => place::BAD,
            _ => place::UNKNOWN,
        })
    }
}

// === impl Lines ===

impl Lines<'_> {
    fn end(self, tally: &Tally) -> anyhow::Result<()> {
        self.counter.finish();
        if let Some(error) = self.failed {
            return Err(error).context("the report cannot be written");
        }
        let Tally { same, missing_here, missing_there, differ, errors, repaired, pending } = tally;
        if self.json {
            writeln!(self.out, "{}", serde_json::json!({ "summary": tally, "left": tally.left() }))?;
        } else {
            let text = format!(
                "{same} same, {missing_here} missing at the primary, {missing_there} missing at a backup, {differ} \
                 different, {errors} errors; {repaired} repaired, {pending} pending, {} left",
                tally.left()
            );
            // Not on standard output: there every line is an object.
            eprintln!("{text}");
        }
        Ok(self.out.flush()?)
    }
}

impl Report for Lines<'_> {
    fn found(&mut self, finding: &Finding) {
        self.counter.one();
        if self.failed.is_some() || (self.differences && finding.symbol == Symbol::Same) {
            return;
        }
        let written = match serde_json::to_string(finding) {
            Ok(json) if self.json => writeln!(self.out, "{json}"),
            _ => writeln!(self.out, "{finding}"),
        };
        self.failed = written.err();
    }
}

// === impl NoJournal ===

#[async_trait::async_trait]
impl MissRecorder for NoJournal {
    async fn record(&self, _: Miss) -> Result<(), MissError> {
        Err(MissError("reconcile writes through no tee".to_owned()))
    }
}
