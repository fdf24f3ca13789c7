//! `strongroom verify`: is every object of every site still what was sealed?
use super::place::{self, Place};
use super::progress::Counter;
use crate::config::LogFormat;
use crate::recovery::checkpoint::Checkpoint;
use crate::recovery::object::ReadError;
use crate::recovery::sample::Depth;
use crate::recovery::verify::{Observer, Verified, Verify as Job};
use crate::s3::BucketName;
use crate::site::Site;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Read every object of the sites, or a sample, and authenticate every byte.
///
/// Of an object under a customer's key (SSE-C) everything but the content is authenticated; such objects are counted apart.
/// Damaged objects are lines on standard error. With --state an interrupted run goes on where it stopped. Exit code: 0
/// every byte authenticated, 1 some objects are damaged, 2 some could not be read, 64 bad usage.
#[derive(clap::Args)]
pub(super) struct Verify {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this site; may be given several times (default: every site).
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    /// Only this bucket; may be given several times (default: all).
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
    /// Only keys that begin so.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// Only this share of the objects: 5% or 0.05 (default: all).
    #[arg(long, value_name = "SHARE")]
    sample: Option<String>,
    /// Which sample; the same number gives the same one.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Remember here how far it has come, and go on from there. Removed when everything was read.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// At most so many bytes a second, for example 10MiB.
    #[arg(long, value_name = "SIZE")]
    bandwidth: Option<String>,
    /// Objects read at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    parallel: usize,
}

/// Shows progress and failures.
struct Shown(Counter);

// === impl Verify ===

impl Verify {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        place::judged(super::runtime()?.block_on(self.work()))
    }

    async fn work(&self) -> anyhow::Result<u8> {
        let place = Place::load(&self.config)?;
        let depth: Depth = place::depth(self.sample.as_deref(), self.seed, true)?;
        let pace = place::pace(self.bandwidth.as_deref())?;
        let sites: Vec<Site> = if self.site.is_empty() {
            place.sites.all().cloned().collect()
        } else {
            self.site.iter().map(|name| place.site(name)).collect::<Result<_, _>>()?
        };
        let buckets = place.buckets(&self.bucket, &sites).await?;
        let mut checkpoint = Checkpoint::open(self.state.as_deref(), self.job())?;
        let opener = place.opener(&sites, pace).await?;
        let job = Job { opener, depth, prefix: self.prefix.clone(), parallel: self.parallel };
        let mut shown = Shown(Counter::new("objects verified"));
        for site in &sites {
            for bucket in &buckets {
                job.bucket(site, bucket, &mut checkpoint, &mut shown).await?;
            }
        }
        shown.0.finish();
        let verified = checkpoint.finish()?;
        let Verified { good, bytes, damaged, foreign, errors, skipped, unchecked } = verified;
        writeln!(
            std::io::stdout(),
            "{good} good ({bytes} sealed bytes), {damaged} damaged, {foreign} not sealed by Strongroom, {errors} not \
             readable, {skipped} left out, {unchecked} with content not checked: customer key"
        )?;
        Ok(match (errors, damaged) {
            (0, 0) => place::GOOD,
            (0, _) => place::BAD,
            _ => place::UNKNOWN,
        })
    }

    /// What the job is about: a state file of another one is refused.
    fn job(&self) -> String {
        let list = |names: &[String]| if names.is_empty() { "all".to_owned() } else { names.join(" ") };
        let sample = self.sample.as_ref().map_or_else(String::new, |share| format!(", {share} seed {}", self.seed));
        format!("verify: sites {}, buckets {}, prefix {:?}{sample}", list(&self.site), list(&self.bucket), self.prefix)
    }
}

impl Observer for Shown {
    fn good(&mut self, _: u64) {
        self.0.one();
    }

    fn bad(&mut self, site: &Site, bucket: &BucketName, key: &str, error: &ReadError) {
        self.0.one();
        let what = match error {
            ReadError::NotSealed(_) => "not sealed",
            error if error.is_damage() => "DAMAGED",
            _ => "not readable",
        };
        self.0.say(&format!("{what}: {}:{bucket}/{}: {error}", site.name(), key.escape_debug()));
    }
}
