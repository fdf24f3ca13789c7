//! `docs/S3-COMPATIBILITY.md` is true: it says what the gateway's tables say, and the tables leave out nothing that `s3s` knows of S3.
//!
//! `STRONGROOM_WRITE_DOCS=1 cargo test --ignore-rust-version --test s3_compatibility` writes the page's tables anew.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use strongroom::gateway::passthrough::{TABLE, Verb};
use strongroom::gateway::support::{HEADERS, Handling, NOTES, REFUSED, SERVED};

/// Headers that `s3s` reads for every operation with a body, or not through its generated code.
const BESIDE: [&str; 3] = ["if-range", "x-amz-checksum-algorithm", "x-amz-meta-*"];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The sources of the very `s3s` that is built in, as cargo keeps them.
fn s3s() -> PathBuf {
    let lock = fs::read_to_string(at("Cargo.lock")).expect("Cargo.lock is readable");
    let (_, rest) = lock.split_once("name = \"s3s\"\nversion = \"").expect("s3s is in Cargo.lock");
    let version = rest.split('"').next().expect("a version");
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).expect("a home");
    let registries = fs::read_dir(home.join("registry/src")).expect("cargo keeps its sources there");
    let found = registries.filter_map(|entry| Some(entry.ok()?.path().join(format!("s3s-{version}/src"))));
    found.into_iter().find(|path| path.is_dir()).expect("the sources of s3s")
}

/// Every operation of the trait, by `s3s`'s name.
fn operations() -> BTreeSet<String> {
    let text = fs::read_to_string(s3s().join("s3_trait.rs")).expect("the trait");
    let names = text.split("async fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    names.map(|name| name.trim().to_owned()).collect()
}

/// S3's own name.
fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}

/// Headers that `s3s` reads from requests of the operations that are served, with these operations.
fn headers_of_served() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in SERVED {
        let path = s3s().join("ops/generated").join(format!("{operation}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let reading = text.split("fn serialize_http").next().expect("something");
        for rest in reading.split("http::parse_").skip(1) {
            let arguments =
                rest.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
            let Some((_, constant)) = arguments.split_once('&') else { continue };
            let constant: String =
                constant.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect();
            if !constant.is_empty() {
                let name = constant.to_ascii_lowercase().replace('_', "-");
                found.entry(name).or_default().insert(camel(operation));
            }
        }
    }
    found
}

#[test]
fn every_operation_of_s3_is_served_passed_on_or_refused_and_only_one_of_these() {
    let served = SERVED.iter().map(|name| camel(name));
    let passed = TABLE.iter().map(|row| row.operation.name().to_owned());
    let refused = REFUSED.iter().map(|row| row.operation.to_owned());
    let all: Vec<String> = served.chain(passed).chain(refused).collect();
    let known: BTreeSet<String> = operations().iter().map(|name| camel(name)).collect();
    let unique: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(all.len(), unique.len(), "an operation stands in two tables");
    let missing: Vec<_> = known.difference(&unique).collect();
    assert!(missing.is_empty(), "neither served nor passed on nor refused: {missing:?}");
    let unknown: Vec<_> = unique.difference(&known).collect();
    assert!(unknown.is_empty(), "s3s knows no such operation: {unknown:?}");
    assert!(known.len() > 100);
}

#[test]
fn every_header_of_an_operation_that_is_served_has_its_row() {
    let mut known: BTreeSet<String> = headers_of_served().into_keys().collect();
    known.extend(BESIDE.map(str::to_owned));
    let rows: BTreeSet<String> = HEADERS.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(rows.len(), HEADERS.len(), "a header stands twice");
    let missing: Vec<_> = known.difference(&rows).collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    // Rows of operations that come later are no fault, but a name that is none is.
    let unknown: Vec<_> = rows.difference(&known).filter(|name| !all_headers().contains(*name)).collect();
    assert!(unknown.is_empty(), "s3s knows no such header: {unknown:?}");
}

/// Every name in `s3s`'s list.
fn all_headers() -> BTreeSet<String> {
    let text = fs::read_to_string(s3s().join("header/generated.rs")).expect("the list");
    let literal = text.split("from_static(\"").skip(1).filter_map(|rest| rest.split('"').next());
    literal.map(str::to_owned).collect()
}

#[test]
fn every_note_is_about_an_operation_that_is_served() {
    for (name, _) in NOTES {
        let served = SERVED.iter().any(|served| camel(served) == *name);
        assert!(served, "{name}");
    }
}

fn operations_table() -> String {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    for name in SERVED.iter().copied() {
        let name = camel(name);
        let note = NOTES.iter().find(|(about, _)| *about == name).map_or("", |(_, note)| note);
        rows.insert(name, format!("served | {note}"));
    }
    for row in TABLE {
        let how = match row.method {
            Verb::Get => "asked of the first site that answers",
            Verb::Put | Verb::Post | Verb::Delete => "told to every site",
        };
        rows.insert(row.operation.name().to_owned(), format!("passed on | {how}"));
    }
    for row in REFUSED {
        rows.insert(row.operation.to_owned(), format!("refused | {}", row.why));
    }
    let mut text = "| operation | | |\n|---|---|---|\n".to_owned();
    for (name, rest) in &rows {
        let _ = writeln!(text, "| {name} | {rest} |");
    }
    text
}

fn headers_table() -> String {
    let of = headers_of_served();
    let mut text = "| header | | operations | |\n|---|---|---|---|\n".to_owned();
    for row in HEADERS {
        let how = match row.handling {
            Handling::Honoured => "honoured",
            Handling::Sites => "told to every site",
            Handling::Refused => "refused",
            Handling::Ignored => "ignored",
        };
        let operations = of.get(row.name).map(|names| names.iter().cloned().collect::<Vec<_>>().join(", "));
        let _ = writeln!(text, "| `{}` | {how} | {} | {} |", row.name, operations.unwrap_or_default(), row.note);
    }
    text
}

#[test]
fn the_page_says_what_the_tables_say() {
    let path = at("docs/S3-COMPATIBILITY.md");
    let page = fs::read_to_string(&path).expect("the page");
    let mut expected = page.clone();
    for (name, table) in [("operations", operations_table()), ("headers", headers_table())] {
        let begin = format!("<!-- {name}: begin (written by tests/s3_compatibility.rs) -->\n");
        let end = format!("<!-- {name}: end -->");
        let (before, rest) = expected.split_once(&begin).expect("the table's begin");
        let (_, after) = rest.split_once(&end).expect("the table's end");
        expected = format!("{before}{begin}{table}{end}{after}");
    }
    if std::env::var_os("STRONGROOM_WRITE_DOCS").is_some() {
        fs::write(&path, expected).expect("the page can be written");
        return;
    }
    assert!(page == expected, "docs/S3-COMPATIBILITY.md is not what the tables say; STRONGROOM_WRITE_DOCS=1 writes it");
}
