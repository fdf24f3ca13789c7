//! Metrics of comparisons and restore drills.
use super::Metrics;

/// What a comparison of the sites found, in numbers of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The same.
    pub same: u64,
    /// Missing at the primary.
    pub missing_here: u64,
    /// Missing at a backup.
    pub missing_there: u64,
    /// Different or damaged.
    pub differ: u64,
    /// Could not be compared.
    pub errors: u64,
    /// Repaired, of those that differed.
    pub repaired: u64,
}

impl Metrics {
    /// A comparison ended at this Unix time after so many seconds.
    pub fn reconciled(&self, found: &Compared, ended: f64, seconds: f64) {
        let families = &self.families;
        for (result, count) in [
            ("same", found.same),
            ("missing_here", found.missing_here),
            ("missing_there", found.missing_there),
            ("differs", found.differ),
            ("error", found.errors),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            families.reconcile_objects.with_label_values(&[result]).set(count);
        }
        families.reconcile_repaired.inc_by(found.repaired);
        families.reconcile_last.set(ended);
        families.reconcile_duration.set(seconds);
    }

    /// The newest restore drill that succeeded: when (Unix time), recovery point and recovery time in seconds.
    pub fn drilled(&self, succeeded: f64, recovery_point: f64, recovery_time: f64) {
        self.families.drill_last.set(succeeded);
        self.families.drill_rpo.set(recovery_point);
        self.families.drill_rto.set(recovery_time);
    }
}
