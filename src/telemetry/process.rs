//! What the kernel says about this process, read from `/proc/self` when Prometheus scrapes.
use super::table::Families;
use std::fs;

/// Ticks per second of the times in `/proc/self/stat` (`USER_HZ`; 100 on every Linux that Rust runs on).
const TICKS: f64 = 100.0;
/// `VmRSS` is in KiB.
const KIB: i64 = 1024;

/// Fills in the process metrics. What cannot be read (another system than Linux) stays as it was.
pub(super) fn refresh(families: &Families) {
    if let Some((cpu, started)) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(times) {
        families.process_cpu.set(cpu);
        if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time) {
            families.process_start.set(boot + started);
        }
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        set(&families.process_rss, number(&status, "VmRSS:").map(|kib| kib * KIB));
        set(&families.process_threads, number(&status, "Threads:"));
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // The folder being read is one of them.
        set(&families.process_fds, i64::try_from(entries.count().saturating_sub(1)).ok());
    }
    if let Ok(limits) = fs::read_to_string("/proc/self/limits") {
        set(&families.process_max_fds, number(&limits, "Max open files"));
    }
}

fn set(gauge: &prometheus::IntGauge, value: Option<i64>) {
    if let Some(value) = value {
        gauge.set(value);
    }
}

/// The first number behind `label` at the start of a line.
fn number(text: &str, label: &str) -> Option<i64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// (CPU seconds, seconds from boot to start) of `/proc/self/stat` (proc(5): fields 14, 15 and 22).
fn times(stat: &str) -> Option<(f64, f64)> {
    // The command's name stands in brackets and may hold anything, brackets too: count from the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<f64>().ok();
    Some(((field(14)? + field(15)?) / TICKS, field(22)? / TICKS))
}

/// Unix time of the boot, from `/proc/stat`.
fn boot_time(stat: &str) -> Option<f64> {
    number(stat, "btime").map(|seconds| seconds as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_behind_the_command_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 0 9 0 0 0 250 150 0 0 20 0 5 0 12345 0 0";
        assert_eq!(times(stat), Some((4.0, 123.45)));
        assert_eq!(times("7 nonsense"), None);
    }

    #[test]
    fn a_number_is_found_by_its_label() {
        let status = "Name:\tx\nVmRSS:\t  2048 kB\nThreads:\t5\n";
        assert_eq!(number(status, "VmRSS:"), Some(2048));
        assert_eq!(number(status, "Threads:"), Some(5));
        assert_eq!(number(status, "VmSwap:"), None);
    }
}
