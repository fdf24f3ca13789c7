//! What is written down about metrics is true: `docs/METRICS.md` says exactly what the table says, dashboards and
//! alerts use only metrics that exist, and every alert has its runbook.
//!
//! `STRONGROOM_WRITE_DOCS=1 cargo test --ignore-rust-version --test metrics_docs` writes the page's table anew.
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use strongroom::telemetry::TABLE;

const BEGIN: &str = "<!-- table: begin (written from src/telemetry/table.rs by tests/metrics_docs.rs) -->\n";
const END: &str = "<!-- table: end -->\n";

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn table() -> String {
    let mut text = "| metric | kind | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for row in TABLE {
        let labels = row.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{}` | {} | {labels} | {} |", row.name, row.kind, row.help);
    }
    text
}

/// Names of metrics in a query: of this program, without what stands in quotes and the suffixes of histograms.
fn names(query: &str) -> BTreeSet<String> {
    let unquoted: String = query.split('"').step_by(2).collect();
    let words = unquoted.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("strongroom_") || word.starts_with("process_"))
        .map(|word| {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
            base.filter(|base| TABLE.iter().any(|row| row.name == *base)).unwrap_or(word).to_owned()
        })
        .collect()
}

fn assert_exported(whence: &str, query: &str) {
    let found = names(query);
    assert!(!found.is_empty() || query.starts_with("up{"), "{whence} names no metric: {query}");
    for name in found {
        assert!(TABLE.iter().any(|row| row.name == name), "{whence}: the proxy does not export {name}");
    }
}

#[test]
fn the_page_says_what_the_table_says() {
    let page = read("docs/METRICS.md");
    let (before, rest) = page.split_once(BEGIN).expect("the page has the table's begin");
    let (written, after) = rest.split_once(END).expect("the page has the table's end");
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", table());
        fs::write(at("docs/METRICS.md"), page).expect("the page can be written");
        return;
    }
    assert_eq!(written, table(), "write it anew: see this file's header");
}

#[test]
fn every_panel_asks_for_metrics_that_exist() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("dashboards/strongroom.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut used = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let (title, query) = (panel["title"].as_str().expect("a title"), target["expr"].as_str().expect("a query"));
            assert_exported(title, query);
            used.extend(names(query));
        }
    }
    let unseen: Vec<_> = TABLE.iter().map(|row| row.name).filter(|name| !used.contains(*name)).collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
}

#[test]
fn panels_do_not_overlap_and_have_ids_of_their_own() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("dashboards/strongroom.json")).expect("JSON");
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect("a place"));
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "two panels at {cell:?}");
        }
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let rules = read("dashboards/alerts.yml");
    let mut used = BTreeSet::new();
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().expect("a name").trim();
        assert!(name.starts_with("Strongroom"), "{name}");
        let query = rule.split_once("expr: ").and_then(|(_, rest)| rest.split_once("labels: {")).expect("a query").0;
        assert_exported(name, query.trim());
        let url = rule.lines().find_map(|line| line.trim().strip_prefix("runbook_url: ")).expect("a runbook");
        let file = url.rsplit('/').next().expect("a file").to_owned();
        let runbook = read(&format!("docs/runbooks/{file}"));
        assert!(runbook.contains(name), "{file} does not speak of {name}");
        used.insert(file);
    }
    let files = fs::read_dir(at("docs/runbooks")).expect("runbooks").flatten();
    let files: BTreeSet<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(files, used);
}
