//! Sites that are down. Their rows are not even tried: after a while one small request asks whether they are back.
use crate::s3::BucketName;
use crate::site::SiteName;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The closed gates, by site.
#[derive(Default)]
pub(super) struct Gates {
    closed: BTreeMap<SiteName, Gate>,
    /// Outages since the last real success: a site that answers questions and fails at work is opened ever more rarely.
    failures: BTreeMap<SiteName, u32>,
}

struct Gate {
    ask_at: Instant,
    asking: bool,
    /// Any bucket will do to ask for; an answer of 404 is one.
    bucket: BucketName,
}

// === impl Gates ===

impl Gates {
    /// Work at a site met an outage; `wait` tells how long to leave it alone after so many earlier ones. A gate that is closed already stays as it is: one outage fails many rows.
    pub(super) fn outage(
        &mut self,
        site: &SiteName,
        bucket: &BucketName,
        wait: impl FnOnce(u32) -> Duration,
        now: Instant,
    ) {
        if self.closed.contains_key(site) {
            return;
        }
        let ask_at = now + self.wait(site, wait);
        self.closed.insert(site.clone(), Gate { ask_at, asking: false, bucket: bucket.clone() });
    }

    /// A question was not answered.
    pub(super) fn still_down(&mut self, site: &SiteName, wait: impl FnOnce(u32) -> Duration, now: Instant) {
        let ask_at = now + self.wait(site, wait);
        if let Some(gate) = self.closed.get_mut(site) {
            (gate.ask_at, gate.asking) = (ask_at, false);
        }
    }

    /// The site answers. True when its gate was closed.
    pub(super) fn open(&mut self, site: &SiteName) -> bool {
        self.closed.remove(site).is_some()
    }

    /// Work at the site succeeded.
    pub(super) fn success(&mut self, site: &SiteName) {
        self.failures.remove(site);
    }

    pub(super) fn is_closed(&self, site: &SiteName) -> bool {
        self.closed.contains_key(site)
    }

    /// Whom to ask now, each once.
    pub(super) fn questions(&mut self, now: Instant) -> Vec<(SiteName, BucketName)> {
        let due = self.closed.iter_mut().filter(|(_, gate)| !gate.asking && gate.ask_at <= now);
        due.map(|(site, gate)| {
            gate.asking = true;
            (site.clone(), gate.bucket.clone())
        })
        .collect()
    }

    fn wait(&mut self, site: &SiteName, wait: impl FnOnce(u32) -> Duration) -> Duration {
        let failures = self.failures.entry(site.clone()).or_default();
        let wait = wait(*failures);
        *failures = failures.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::BackOff;

    fn names() -> (SiteName, BucketName) {
        (SiteName("backup".into()), BucketName::parse("bucket").expect("a name"))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn doubling(failures: u32) -> Duration {
        BackOff::new(seconds(1), seconds(30)).expect("valid").wait(failures, u32::MAX)
    }

    #[test]
    fn a_site_that_is_down_is_asked_once_at_a_time_and_ever_more_rarely() {
        let (site, bucket) = names();
        let mut now = Instant::now();
        let mut gates = Gates::default();
        for _ in 0..8 {
            gates.outage(&site, &bucket, doubling, now);
        }
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            assert!(gates.questions(now + seconds(wait) - Duration::from_millis(1)).is_empty());
            now += seconds(wait);
            assert_eq!(gates.questions(now).len(), 1);
            assert!(gates.questions(now + seconds(3600)).is_empty(), "it is being asked");
            gates.still_down(&site, doubling, now);
        }
    }

    #[test]
    fn only_work_that_succeeds_makes_a_site_trusted_again() {
        let (site, bucket) = names();
        let now = Instant::now();
        let mut gates = Gates::default();
        gates.outage(&site, &bucket, doubling, now);
        assert!(gates.open(&site) && !gates.is_closed(&site) && !gates.open(&site));
        gates.outage(&site, &bucket, doubling, now);
        assert!(gates.questions(now + seconds(1)).is_empty(), "two seconds by now");
        gates.open(&site);
        gates.success(&site);
        gates.outage(&site, &bucket, doubling, now);
        assert_eq!(gates.questions(now + seconds(1)).len(), 1);
    }
}
