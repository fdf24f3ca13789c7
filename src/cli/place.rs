//! What every job over whole buckets needs: the sites of a configuration, the keyring, a pace, and exit codes.
use super::Usage;
use crate::app;
use crate::config::{self, Config, ConfigError, Keys, StatePlace};
use crate::keys::{Allowance, Custodians, RootSource, Roots};
use crate::policy::RuleSet;
use crate::recovery::object::Opener;
use crate::recovery::pace::Pace;
use crate::recovery::sample::{Depth, Seed};
use crate::recovery::{buckets, ring};
use crate::s3::{Aliases, BucketName};
use crate::site::{Site, SiteName, Sites, Unobserved};
use crate::state::State;
use anyhow::{Context, bail};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Nothing is left to be done.
pub(super) const GOOD: u8 = 0;
/// Something is wrong with objects.
pub(super) const BAD: u8 = 1;
/// Something could not be looked at, so nothing can be said.
pub(super) const UNKNOWN: u8 = 2;

/// A configuration's places.
pub(super) struct Place {
    pub(super) sites: Sites,
    pub(super) system_bucket: BucketName,
    pub(super) state: StatePlace,
    pub(super) aliases: Aliases,
    pub(super) rules: RuleSet,
    /// Where the root key comes from.
    pub(super) root: RootSource,
    /// Where others come from that open the keyring too.
    pub(super) other_roots: Vec<RootSource>,
    /// Who opens those that are wrapped.
    pub(super) custodians: Custodians,
    /// How much is sealed under one version of a key.
    pub(super) allowance: Allowance,
}

// === impl Place ===

impl Place {
    /// Must be called inside a runtime.
    pub(super) fn load(config: &Path) -> anyhow::Result<Self> {
        let Config { primary, backups, system_bucket, state, keys, aliases, rules, suites, .. } = super::load(config)?;
        let rules = RuleSet::new(rules, suites)?;
        let Keys { root, other_roots, custodians, allowance, .. } = keys;
        let sites = app::build_sites(primary, backups, Arc::new(Unobserved))?;
        let custodians = Custodians::new(custodians)?;
        Ok(Self { sites, system_bucket, state, aliases, rules, root, other_roots, custodians, allowance })
    }

    /// The root keys that the configuration names.
    pub(super) async fn roots(&self) -> anyhow::Result<Roots> {
        Ok(Roots::load(&self.root, &self.other_roots, &self.custodians).await?)
    }

    /// One of the configuration's sites.
    pub(super) fn site(&self, name: &str) -> Result<Site, Usage> {
        let found = self.sites.by_name(&SiteName(name.into())).cloned();
        found.ok_or_else(|| {
            let known: Vec<_> = self.sites.all().map(|site| site.name().to_string()).collect();
            Usage(format!("there is no site {name:?} in the configuration; known: {}", known.join(", ")))
        })
    }

    /// The keyring of the first of these sites that has one, at this pace.
    pub(super) async fn opener(&self, from: &[Site], pace: Pace) -> anyhow::Result<Opener> {
        let (mut reasons, roots) = (Vec::new(), self.roots().await?);
        for site in from {
            match ring::open(site, &self.system_bucket, roots.clone()).await {
                Ok(Some(keyring)) => {
                    let aliases = self.aliases.clone();
                    return Ok(Opener { keyring: Arc::new(keyring), aliases, pace: Arc::new(pace) });
                }
                Ok(None) => reasons.push(format!("{} has none", site.name())),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        bail!("no keyring could be opened: {}", reasons.join("; "))
    }

    /// The state of a proxy on this machine, where there is one.
    pub(super) async fn state(&self) -> anyhow::Result<Option<State>> {
        if matches!(&self.state, StatePlace::Folder(folder) if !folder.join("state.sqlite3").exists()) {
            return Ok(None);
        }
        Ok(Some(app::open_state(&self.state).await.context("the state cannot be read")?))
    }

    /// The buckets that were asked for; none: all of these sites.
    pub(super) async fn buckets(&self, asked: &[String], of: &[Site]) -> anyhow::Result<Vec<BucketName>> {
        if asked.is_empty() {
            return buckets::all(of, &self.system_bucket).await.context("the buckets cannot be listed");
        }
        Ok(asked.iter().map(|name| bucket(name)).collect::<Result<_, _>>()?)
    }
}

/// A bucket of the command line.
pub(super) fn bucket(name: &str) -> Result<BucketName, Usage> {
    BucketName::parse(name).map_err(|e| Usage(format!("--bucket {name:?}: {e}; name the bucket as clients do")))
}

/// `10MiB` (a second), as the command line takes it.
pub(super) fn pace(bandwidth: Option<&str>) -> Result<Pace, Usage> {
    let rate = bandwidth.map(config::size).transpose();
    Ok(Pace::new(rate.map_err(|e| Usage(format!("--bandwidth: {e} (bytes a second)")))?))
}

/// `5%` or `0.05`, as the command line takes it.
pub(super) fn depth(sample: Option<&str>, seed: u64, all: bool) -> Result<Depth, Usage> {
    let Some(text) = sample else { return Ok(if all { Depth::All } else { Depth::Listing }) };
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = text.strip_suffix('%').map_or_else(|| number(text), |percent| number(percent).map(|p| p / 100.0));
    match share.filter(|share| (0.0..=1.0).contains(share)) {
        Some(share) => Ok(Depth::Share(share, Seed(seed))),
        None => Err(Usage(format!("--sample {text:?} is no share; write for example 5% or 0.05"))),
    }
}

/// Runs a job whose exit codes are 0, 1 and 2: whatever keeps it from its work is a 2.
pub(super) fn judged(outcome: anyhow::Result<u8>) -> anyhow::Result<ExitCode> {
    match outcome {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) if error.is::<ConfigError>() || error.is::<Usage>() => Err(error),
        Err(error) => {
            eprintln!("strongroom: {error:#}");
            Ok(ExitCode::from(UNKNOWN))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        for (text, share) in [("5%", 0.05), ("0.5", 0.5), ("100 %", 1.0), ("0", 0.0)] {
            assert_eq!(depth(Some(text), 3, false).ok(), Some(Depth::Share(share, Seed(3))), "{text}");
        }
        for text in ["", "5", "-1%", "101%", "all", "nan"] {
            assert!(depth(Some(text), 0, false).is_err(), "{text}");
        }
        assert_eq!(depth(None, 0, true).ok(), Some(Depth::All));
    }
}
