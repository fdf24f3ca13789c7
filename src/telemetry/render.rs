//! The page that Prometheus scrapes.
use super::table::TABLE;
use prometheus::{Registry, TextEncoder};
use std::fmt::Write as _;

/// Every family of the table, also those without a series yet: an operator who looks for a metric finds its name.
pub(super) fn render(registry: &Registry) -> String {
    let gathered = registry.gather();
    let mut page = String::with_capacity(64 * 1024);
    for row in TABLE {
        if !gathered.iter().any(|family| family.name() == row.name) {
            let _ = writeln!(page, "# HELP {} {}\n# TYPE {} {}", row.name, row.help, row.name, row.kind);
        }
    }
    if let Err(error) = TextEncoder::new().encode_utf8(&gathered, &mut page) {
        tracing::error!(%error, "the metrics cannot be written out");
    }
    page
}

#[cfg(test)]
mod tests {
    use crate::telemetry::{Metrics, TABLE};

    #[test]
    fn every_metric_of_the_table_is_on_the_page_from_the_start() {
        let page = Metrics::new().render();
        for row in TABLE {
            let help = format!("# HELP {} {}", row.name, row.help);
            let kind = format!("# TYPE {} ", row.name);
            assert_eq!(page.lines().filter(|line| *line == help).count(), 1, "{help}");
            assert_eq!(page.lines().filter(|line| line.starts_with(&kind)).count(), 1, "{kind}");
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        for row in TABLE {
            assert!(row.name.starts_with("strongroom_") || row.name.starts_with("process_"), "{}", row.name);
            if row.name.starts_with("strongroom_") {
                assert_eq!(row.name.ends_with("_total"), row.kind == "counter", "{}", row.name);
            }
            assert!(row.help.ends_with('.') && !row.help.contains('\n'), "{}", row.name);
            for label in row.labels {
                assert!(!["bucket", "key", "client", "user", "principal"].contains(label), "{} {label}", row.name);
            }
        }
    }
}
