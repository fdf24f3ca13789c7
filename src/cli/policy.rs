//! `strongroom policy`: which rule decides, and whether the rules say what was meant. Changes nothing.
use super::Usage;
use super::place::Place;
use crate::config::{Config, LogFormat};
use crate::keys::{KeyAdmin, OsEntropy};
use crate::policy::{Headers, RuleSet, advise, header_name};
use crate::s3::{BucketName, ObjectKey};
use std::collections::BTreeMap;
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
    /// Explain a write with this header; may be given several times. Without, what is explained is everything but a write.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Explain a write, with no header but those that are given.
    #[arg(long)]
    write: bool,
    /// The object, as clients name it.
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
}

/// The headers of a write that is asked about.
struct Given(BTreeMap<String, String>);

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
                let done = explain(
                    config,
                    &command.object,
                    command.headers()?.as_ref().map(|given| given as &dyn Headers),
                    "policy explain",
                )?;
                writeln!(std::io::stdout(), "policy version {}", rules.version())?;
                Ok(done)
            }
            Command::Check(command) => command.run(),
        }
    }
}

impl Explain {
    /// Those of the write that is asked about; `None` when none is.
    fn headers(&self) -> Result<Option<Given>, Usage> {
        let mut given = BTreeMap::new();
        for header in &self.header {
            let unusable = |why: String| Usage(format!("--header {header:?}: {why}"));
            let (name, value) = header.split_once(':').ok_or_else(|| {
                unusable("it has no value; write for example 'content-type: application/pdf'".to_owned())
            })?;
            let name = header_name(name.trim()).map_err(|error| unusable(error.to_string()))?;
            if given.insert(name, value.trim().to_owned()).is_some() {
                return Err(unusable("the header is there already; give each once".to_owned()));
            }
        }
        Ok((self.write || !given.is_empty()).then_some(Given(given)))
    }
}

impl Headers for Given {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Says which rule decides for `s3://bucket/key`; `command` is how it was asked.
/// `headers`: of a write.
pub(super) fn explain(
    config: Config,
    object: &str,
    headers: Option<&dyn Headers>,
    command: &str,
) -> anyhow::Result<ExitCode> {
    let path = object.strip_prefix("s3://").unwrap_or(object);
    let unusable =
        |why: String| Usage(format!("{command} {object:?}: {why}; write for example s3://docs/2026/letter.pdf"));
    let (bucket, key) = path.split_once('/').ok_or_else(|| unusable("it has no key".to_owned()))?;
    let bucket = BucketName::parse(bucket).map_err(|e| unusable(e.to_string()))?;
    let key = ObjectKey::parse(key).map_err(|e| unusable(e.to_string()))?;
    writeln!(std::io::stdout(), "{}", RuleSet::new(config.rules, config.suites)?.explain(&bucket, &key, headers))?;
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
