//! Whether traffic should come to this proxy: started, not draining, and some site answers.
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// One site's name and whether it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteHealth {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub healthy: bool,
}

type Sites = dyn Fn() -> Vec<SiteHealth> + Send + Sync;

/// The state behind `/readyz`. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    phase: Arc<AtomicU8>,
    sites: Arc<Sites>,
}

/// What `/readyz` says.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    pub(super) reasons: Vec<&'static str>,
    pub(super) sites: BTreeMap<String, &'static str>,
}

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

// === impl Readiness ===

impl Readiness {
    /// Not started yet; `sites` is asked at every look.
    pub fn new(sites: impl Fn() -> Vec<SiteHealth> + Send + Sync + 'static) -> Self {
        Self { phase: Arc::new(AtomicU8::new(STARTING)), sites: Arc::new(sites) }
    }

    pub(super) fn started(&self) {
        self.phase.store(SERVING, Ordering::Release);
    }

    pub(super) fn draining(&self) {
        self.phase.store(DRAINING, Ordering::Release);
    }

    pub(super) fn report(&self) -> Report {
        let sites = (self.sites)();
        let mut reasons = Vec::new();
        match self.phase.load(Ordering::Acquire) {
            STARTING => reasons.push("starting"),
            DRAINING => reasons.push("draining"),
            _ => {}
        }
        if !sites.iter().any(|site| site.healthy) {
            reasons.push("no site answers");
        }
        let word = |site: SiteHealth| (site.name, if site.healthy { "healthy" } else { "down" });
        Report { ready: reasons.is_empty(), reasons, sites: sites.into_iter().map(word).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(primary: bool, backup: bool) -> Readiness {
        let site = |name: &str, healthy| SiteHealth { name: name.to_owned(), healthy };
        Readiness::new(move || vec![site("primary", primary), site("backup", backup)])
    }

    #[test]
    fn a_proxy_is_ready_between_start_and_drain() {
        let readiness = readiness(true, true);
        assert_eq!(readiness.report().reasons, ["starting"]);
        readiness.started();
        assert!(readiness.report().ready);
        readiness.draining();
        assert_eq!(readiness.report().reasons, ["draining"]);
    }

    #[test]
    fn one_site_is_enough_and_none_is_not() {
        for (primary, backup, expected) in [(true, false, true), (false, true, true), (false, false, false)] {
            let readiness = readiness(primary, backup);
            readiness.started();
            assert_eq!(readiness.report().ready, expected);
        }
    }
}
