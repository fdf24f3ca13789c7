//! `strongroom policy`: which rule decides, and whether the rules say what was meant. Changes nothing.
use super::Usage;
use super::place::Place;
use crate::config::{Config, LogFormat};
use crate::keys::{KeyAdmin, OsEntropy};
use crate::policy::{RuleSet, advise};
use crate::s3::{BucketName, ObjectKey};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// See which rule decides, and whether the rules say what was meant.
#[derive(clap::Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say which rule decides for an object, why, and what it means. Asks no site.
    Explain(Explain),
    /// Find rules that can never match, overlaps, and vault keys without a rule.
    Check(Check),
}

#[derive(clap::Args)]
struct Explain {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The object, as clients name it.
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
}

#[derive(clap::Args)]
struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Ask no site: say nothing about the vault keys that exist.
    #[arg(long)]
    offline: bool,
    /// End with exit code 1 when there is anything to remark.
    #[arg(long)]
    strict: bool,
}

impl Policy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::start_tracing("error", LogFormat::Text);
        match self.command {
            Command::Explain(command) => {
                let config = super::load(&command.config)?;
                let rules = RuleSet::new(config.rules.clone(), config.suites.clone())?;
                let done = explain(config, &command.object, "policy explain")?;
                writeln!(std::io::stdout(), "policy version {}", rules.version())?;
                Ok(done)
            }
            Command::Check(command) => command.run(),
        }
    }
}

/// Says which rule decides for `s3://bucket/key`; `command` is how it was asked.
pub(super) fn explain(config: Config, object: &str, command: &str) -> anyhow::Result<ExitCode> {
    let path = object.strip_prefix("s3://").unwrap_or(object);
    let unusable =
        |why: String| Usage(format!("{command} {object:?}: {why}; write for example s3://docs/2026/letter.pdf"));
    let (bucket, key) = path.split_once('/').ok_or_else(|| unusable("it has no key".to_owned()))?;
    let bucket = BucketName::parse(bucket).map_err(|e| unusable(e.to_string()))?;
    let key = ObjectKey::parse(key).map_err(|e| unusable(e.to_string()))?;
    writeln!(std::io::stdout(), "{}", RuleSet::new(config.rules, config.suites)?.explain(&bucket, &key))?;
    Ok(ExitCode::SUCCESS)
}

impl Check {
    fn run(self) -> anyhow::Result<ExitCode> {
        // Rules that can never match are refused here already, each with its line.
        let config = super::load(&self.config)?;
        let rules = RuleSet::new(config.rules, config.suites)?;
        let existing = if self.offline { Vec::new() } else { super::runtime()?.block_on(self.keys())? };
        let advice = advise(&rules, &existing);
        let mut out = std::io::stdout().lock();
        for remark in &advice {
            writeln!(out, "{remark}")?;
        }
        let count = rules.rules().count();
        writeln!(out, "{count} rules, policy version {}: {} remarks", rules.version(), advice.len())?;
        Ok(ExitCode::from(if self.strict && !advice.is_empty() { super::EXIT_FAILURE } else { 0 }))
    }

    /// The names of the vault keys at the sites.
    async fn keys(&self) -> anyhow::Result<Vec<String>> {
        let place = Place::load(&self.config)?;
        let (roots, entropy) = (place.roots().await?, OsEntropy);
        let admin =
            KeyAdmin { roots: &roots, sites: &place.sites, bucket: &place.system_bucket, entropy: &entropy, by: "" };
        Ok(admin.list().await?.into_iter().map(|key| key.id.as_str().to_owned()).collect())
    }
}
