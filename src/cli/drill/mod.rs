//! `strongroom drill`: a restore drill with one backup and the escrowed root key; its report, signed; the check of a
//! report; the primary's listing for a later drill.
//!
//! | file | what it holds |
//! |---|---|
//! | [`given`] | what the restoring process is given, and how |
//! | [`isolated`] | that process |
//! | [`papers`] | the report's files, the signing key, the check |
mod given;
mod isolated;
mod papers;

pub(super) use isolated::Isolated;

use super::Usage;
use super::init::private_folder;
use super::place::{self, Place};
use crate::clock;
use crate::config::{Config, LogFormat};
use crate::keys::{RootKey, RootSource};
use crate::recovery::drill::{self, Report};
use crate::site::SiteConfig;
use given::{Given, GivenSite};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Restore a random sample from a backup alone, with the escrowed root key, check every byte, measure, and sign the report.
///
/// The work is done by a process of its own that is given the backup's address and credential and the path of the root
/// key, and nothing of any other site. Exit code: 0 every sampled object is right, 1 some are not, 2 the drill could not
/// be done, 64 bad usage.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Drill {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    run: Run,
}

#[derive(clap::Subcommand)]
enum Other {
    /// Check a report's signature and say what it says.
    Verify(papers::Verify),
    /// Export the primary's listing: a drill with --manifest holds the backup against it.
    Export(Export),
}

#[derive(clap::Args)]
struct Run {
    /// The configuration file.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// The backup to restore from (default: the only one).
    #[arg(long, value_name = "SITE")]
    from: Option<String>,
    /// The escrowed copy of the root key: a private file (mode 0600), not the one that the proxy uses.
    #[arg(long, value_name = "FILE", required = true)]
    root_key: Option<PathBuf>,
    /// How many objects are restored.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    sample: usize,
    /// Which ones (default: chosen at random, and written into the report).
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Only this bucket; may be given several times (default: all).
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
    /// What `strongroom drill export` wrote.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where the report goes: FILE, and beside it FILE with the extension .html.
    #[arg(long, value_name = "FILE", default_value = "drill.json")]
    report: PathBuf,
    /// The key that signs: 64 hex digits in a private file; made when it is missing.
    #[arg(long, value_name = "FILE", default_value = "drill-signing.key")]
    signing_key: PathBuf,
    /// Restore into this folder and leave it there (default: a temporary one, removed at the end).
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Export {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the listing goes. It holds the names of all objects.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// The folder that is restored into.
struct Scratch {
    folder: PathBuf,
    keep: bool,
}

// === impl Drill ===

impl Drill {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.other {
            Some(Other::Verify(verify)) => verify.run(),
            Some(Other::Export(export)) => place::judged(export.run()),
            None => place::judged(self.run.run()),
        }
    }
}

// === impl Run ===

impl Run {
    fn run(self) -> anyhow::Result<u8> {
        let (Some(config), Some(root_key)) = (&self.config, &self.root_key) else {
            return Err(Usage("--config and --root-key are needed".to_owned()).into());
        };
        // A mistake is better met here than by a process that can say little.
        RootKey::load(&RootSource::File(root_key.clone()))?;
        let signing = papers::signing_key(&self.signing_key)?;
        let scratch = Scratch::new(self.keep.as_deref())?;
        let given = self.given(super::load(config)?, root_key, &scratch.folder)?;
        let report = given.hand_over()?;
        papers::write(&self.report, &report, &signing)?;
        say(&report, &self.report)?;
        Ok(if report.passed { place::GOOD } else { place::BAD })
    }

    fn given(&self, config: Config, root_key: &Path, folder: &Path) -> anyhow::Result<Given> {
        let Config { primary, backups, system_bucket, aliases, .. } = config;
        let told = |site: &SiteConfig| (site.name.to_string(), site.endpoint.clone());
        let mut withheld = vec![told(&primary)];
        let mut chosen = Vec::new();
        for backup in backups {
            match &self.from {
                Some(name) if **name != *backup.name.0 => withheld.push(told(&backup)),
                _ => chosen.push(backup),
            }
        }
        let [site]: [SiteConfig; 1] = chosen.try_into().map_err(|found: Vec<SiteConfig>| {
            let what = if found.is_empty() { "--from names no backup" } else { "there are several backups" };
            Usage(format!("{what}; name one with --from (a drill never restores from the primary)"))
        })?;
        let seed = self.seed.map_or_else(random, Ok)?;
        Ok(Given {
            site: GivenSite::from(site),
            withheld,
            system_bucket: system_bucket.to_string(),
            aliases: aliases.iter().map(ToString::to_string).collect(),
            root_key: absolute(root_key)?,
            buckets: self
                .bucket
                .iter()
                .map(|name| place::bucket(name).map(|b| b.to_string()))
                .collect::<Result<_, _>>()?,
            sample: self.sample,
            seed,
            folder: absolute(folder)?,
            manifest: self.manifest.as_deref().map(absolute).transpose()?,
        })
    }
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

fn random() -> anyhow::Result<u64> {
    let mut bytes = [0u8; 8];
    clock::random(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

fn say(report: &Report, file: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for object in &report.sample.objects {
        if let Some(problem) = &object.problem {
            writeln!(out, "WRONG: {}/{}: {problem}", object.bucket, object.key.escape_debug())?;
        }
    }
    let verdict = if report.passed { "passed" } else { "FAILED" };
    writeln!(
        out,
        "{verdict}: {} of {} objects restored and right, seed {}; RPO {} s, RTO {} s; report: {}",
        report.sample.objects.iter().filter(|object| object.problem.is_none()).count(),
        report.sample.objects.len(),
        report.sample.seed,
        report.rpo.seconds,
        report.rto.seconds,
        file.display()
    )?;
    Ok(())
}

// === impl Export ===

impl Export {
    fn run(&self) -> anyhow::Result<u8> {
        super::start_tracing("error", LogFormat::Text);
        super::runtime()?.block_on(async {
            let place = Place::load(&self.config)?;
            let primary = place.sites.primary.clone();
            let buckets = place.buckets(&[], std::slice::from_ref(&primary)).await?;
            let taken = clock::now().unix_timestamp();
            let mut out = BufWriter::new(fs::File::create(&self.output)?);
            let count = drill::export(&primary, &buckets, taken, &mut out).await?;
            writeln!(std::io::stdout(), "{count} objects listed in {}", self.output.display())?;
            Ok(place::GOOD)
        })
    }
}

// === impl Scratch ===

impl Scratch {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match keep {
            Some(folder) => folder.to_owned(),
            None => std::env::temp_dir().join(format!("strongroom-drill-{:016x}", random()?)),
        };
        private_folder(&folder)?;
        Ok(Self { folder, keep: keep.is_some() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // Plaintext: tell when it stays behind.
            if let Err(error) = fs::remove_dir_all(&self.folder) {
                eprintln!(
                    "strongroom: {} holds restored files and could not be removed: {error}",
                    self.folder.display()
                );
            }
        }
    }
}
