//! `strongroom rewrap`: objects are moved to the newest versions of their vault keys, through the running proxy.
use super::Usage;
use super::place;
use super::progress::Counter;
use super::proxy::ProxyAt;
use crate::app;
use crate::config::LogFormat;
use crate::recovery::buckets;
use crate::recovery::checkpoint::Checkpoint;
use crate::recovery::pace::Pace;
use crate::recovery::rewrap::{Observer, Rewrap as Job, Rewrapped};
use crate::s3::BucketName;
use crate::site::Site;
use anyhow::Context;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Objects left as they are that are shown one by one.
const SHOWN: u64 = 1000;

/// Move objects to the newest versions of their vault keys, without encrypting anything anew.
///
/// After `key rotate`: of every object that an older version of its key opens only the end is written anew; what comes before it is copied by each
/// site by itself (objects under 5 MiB are written whole). Runs through the running proxy; a client's write that comes between wins. What is done
/// already is recognised, so a job that was broken off is simply started again; with --state it goes on where it was. Exit code: 0 every object is
/// under the newest version, 1 some are not (run it again), 2 something could not be listed, 64 bad usage.
#[derive(clap::Args)]
pub(super) struct Rewrap {
    #[command(flatten)]
    at: ProxyAt,
    /// Only objects that are under this vault key.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// At most so many objects a second.
    #[arg(long, value_name = "OBJECTS")]
    rate: Option<u64>,
    /// Remember here how far it has come, and go on from there. Removed when everything was looked at.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Only say what would be moved.
    #[arg(long)]
    dry_run: bool,
    /// Objects at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// The bucket, or a bucket and the beginning of keys (default: all buckets).
    #[arg(value_name = "s3://BUCKET[/PREFIX]")]
    what: Option<String>,
}

/// Shows progress and what was left.
struct Shown(Counter, u64);

// === impl Rewrap ===

impl Rewrap {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        place::judged(super::runtime()?.block_on(self.work()))
    }

    async fn work(&self) -> anyhow::Result<u8> {
        let proxy = self.at.proxy(usize::from(self.parallel))?;
        let (bucket, prefix) = self.place()?;
        let mut checkpoint = Checkpoint::open(self.state.as_deref(), self.job())?;
        let stop = app::stop_signal().context("the signal handlers cannot be set")?;
        let buckets = match bucket {
            Some(bucket) => vec![bucket],
            None => self.buckets(&proxy).await?,
        };
        let job = Job {
            proxy,
            prefix,
            only: self.key.as_deref().map(super::key::id).transpose()?,
            dry_run: self.dry_run,
            parallel: usize::from(self.parallel),
            pace: Pace::new(self.rate),
        };
        let mut shown = Shown(Counter::new("objects looked at"), 0);
        for bucket in &buckets {
            let done = job.bucket(bucket, &mut checkpoint, &mut shown, || !stop.is_cancelled()).await;
            if let Err(error) = done {
                shown.0.finish();
                return Err(error.into());
            }
        }
        shown.0.finish();
        let stopped = stop.is_cancelled();
        let counted = if stopped { checkpoint.reached.counted.clone() } else { checkpoint.finish()? };
        report(&mut std::io::stdout().lock(), &counted, self.dry_run, stopped)?;
        Ok(if counted.is_well() && !stopped { place::GOOD } else { place::BAD })
    }

    /// `s3://BUCKET/PREFIX`, also without `s3://`.
    fn place(&self) -> Result<(Option<BucketName>, String), Usage> {
        let Some(what) = &self.what else { return Ok((None, String::new())) };
        let text = what.strip_prefix("s3://").unwrap_or(what);
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        let bucket = BucketName::parse(bucket)
            .map_err(|e| Usage(format!("{what:?}: {e}; write for example s3://ledgers or s3://ledgers/2019/")))?;
        Ok((Some(bucket), prefix.to_owned()))
    }

    async fn buckets(&self, proxy: &Site) -> anyhow::Result<Vec<BucketName>> {
        let system_bucket = super::load(&self.at.config)?.system_bucket;
        buckets::all([proxy], &system_bucket).await.context("the buckets cannot be listed")
    }

    /// What the job is about: a state file of another one is refused.
    fn job(&self) -> String {
        let (what, key) = (self.what.as_deref().unwrap_or("all"), self.key.as_deref().unwrap_or("all"));
        format!("rewrap: {what}, keys {key}{}", if self.dry_run { ", dry run" } else { "" })
    }
}

fn report(out: &mut impl Write, counted: &Rewrapped, dry_run: bool, stopped: bool) -> std::io::Result<()> {
    let Rewrapped { moved, current, due, other, plain, changed, behind, failed, bytes, older } = counted;
    if dry_run {
        write!(out, "{due} objects to move to the newest version; {current} there already")?;
    } else {
        write!(
            out,
            "{moved} objects moved to the newest version, {bytes} bytes to and from the sites; {current} there already"
        )?;
    }
    if *other > 0 {
        write!(out, ", {other} under other keys")?;
    }
    if *plain > 0 {
        write!(out, ", {plain} not sealed")?;
    }
    writeln!(out, "; {changed} changed meanwhile, {behind} left for later, {failed} failed")?;
    for (bucket, versions) in older {
        writeln!(
            out,
            "{bucket}: {versions} older versions are under an older version of their key and stay so: it can be destroyed when they are deleted"
        )?;
    }
    match (stopped, dry_run, counted.is_well()) {
        (true, ..) => writeln!(out, "stopped; run it again to go on"),
        (_, false, false) => writeln!(out, "run it again for what changed or was left; see above for what failed"),
        _ => Ok(()),
    }
}

// === impl Shown ===

impl Observer for Shown {
    fn looked(&mut self) {
        self.0.one();
    }

    fn left(&mut self, bucket: &BucketName, key: &str, why: &str) {
        self.1 += 1;
        if self.1 <= SHOWN {
            self.0.say(&format!("{bucket}/{}: {why}", key.escape_debug()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_was_done_and_what_is_left() {
        let said = |counted: &Rewrapped, dry_run, stopped| {
            let mut out = Vec::new();
            report(&mut out, counted, dry_run, stopped).expect("it is written");
            String::from_utf8(out).expect("text")
        };
        let well = Rewrapped { moved: 2, bytes: 9000, older: [("ledgers".into(), 3)].into(), ..Rewrapped::default() };
        let text = said(&well, false, false);
        assert!(text.starts_with("2 objects moved to the newest version, 9000 bytes to and from the sites"), "{text}");
        assert!(text.contains("ledgers: 3 older versions") && !text.contains("run it again"), "{text}");
        assert!(said(&well, false, true).ends_with("stopped; run it again to go on\n"));
        let left = said(&Rewrapped { behind: 1, ..well }, false, false);
        assert!(left.contains("1 left for later") && left.contains("run it again"), "{left}");
        assert!(said(&Rewrapped { due: 4, ..Rewrapped::default() }, true, false).starts_with("4 objects to move"));
    }
}
