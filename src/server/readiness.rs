//! Whether traffic should come to this proxy: started, not draining, some site answers, and nothing else is in the way.
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
type Obstacle = dyn Fn() -> Option<&'static str> + Send + Sync;
type Shortage = dyn Fn() -> Option<String> + Send + Sync;

/// The state behind `/readyz`. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    phase: Arc<AtomicU8>,
    sites: Arc<Sites>,
    obstacle: Arc<Obstacle>,
    shortage: Arc<Shortage>,
}

/// What `/readyz` says.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    pub(super) reasons: Vec<&'static str>,
    /// What does not work all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shortage: Option<String>,
    pub(super) sites: BTreeMap<String, &'static str>,
}

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

// === impl Readiness ===

impl Readiness {
    /// Not started yet; `sites` is asked at every look.
    pub fn new(sites: impl Fn() -> Vec<SiteHealth> + Send + Sync + 'static) -> Self {
        let phase = Arc::new(AtomicU8::new(STARTING));
        Self { phase, sites: Arc::new(sites), obstacle: Arc::new(|| None), shortage: Arc::new(|| None) }
    }

    /// Not ready either while `obstacle` says why; it is asked at every look.
    #[must_use]
    pub fn unless(self, obstacle: impl Fn() -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self { obstacle: Arc::new(obstacle), ..self }
    }

    /// Ready, although `shortage` says what does not work; it is asked at every look.
    #[must_use]
    pub fn although(self, shortage: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self { shortage: Arc::new(shortage), ..self }
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
        reasons.extend((self.obstacle)());
        let word = |site: SiteHealth| (site.name, if site.healthy { "healthy" } else { "down" });
        let shortage = (self.shortage)();
        Report { ready: reasons.is_empty(), reasons, shortage, sites: sites.into_iter().map(word).collect() }
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
    fn an_obstacle_is_named_for_as_long_as_it_is_there() {
        let there = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let asked = there.clone();
        let readiness = readiness(true, true).unless(move || asked.load(Ordering::Acquire).then_some("no key"));
        readiness.started();
        assert_eq!(readiness.report().reasons, ["no key"]);
        there.store(false, Ordering::Release);
        assert!(readiness.report().ready);
    }

    #[test]
    fn a_shortage_is_told_and_keeps_nobody_away() {
        let readiness = readiness(true, true).although(|| Some("read-only".to_owned()));
        readiness.started();
        let report = readiness.report();
        assert!(report.ready && report.shortage.as_deref() == Some("read-only"));
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
