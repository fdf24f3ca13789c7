//! The newest restore drill, told to the metrics. A drill runs elsewhere, may have no right to write to any site, and
//! leaves a signed file; so that file is what is read, before every scrape.
use crate::config::DrillReport;
use crate::recovery::drill::Signed;
use crate::telemetry::Metrics;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Larger is no report.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads the report before every scrape when it has changed.
pub(super) fn tell(report: DrillReport, metrics: &Metrics) {
    let seen: Mutex<Option<SystemTime>> = Mutex::default();
    metrics.before_scrape(move |metrics| {
        let Ok(found) = fs::metadata(&report.file) else { return };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() > LARGEST || (found.modified().ok().is_some() && *seen == found.modified().ok()) {
            return;
        }
        *seen = found.modified().ok();
        let read = fs::read(&report.file).map_err(|e| e.to_string()).and_then(|text| {
            let signed = Signed::parse(&text).map_err(|e| e.to_string())?;
            signed.verify(Some(&report.public_key)).map_err(|e| e.to_string())
        });
        match read {
            Ok(drill) if drill.passed => {
                metrics.drilled(drill.ended_at as f64, drill.rpo.seconds as f64, drill.rto.seconds as f64);
            }
            Ok(_) => tracing::error!(file = %report.file.display(), "the newest restore drill failed"),
            Err(error) => tracing::error!(file = %report.file.display(), error, "a drill report is not believed"),
        }
    });
}
