//! The architecture, enforced: who may import whom, no import cycles, which crate lives in which room, a header
//! on every file, no file and no function too long, no unsafe code but in one folder.
//!
//! Reads the sources as text (comments and literals blanked, test code left out) and looks at `crate::` and
//! `super::` paths. The table is `docs/ARCHITECTURE.md`'s.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Room -> the rooms it may import. `*`: all (the composition root).
const MAY_IMPORT: &[(&str, &str)] = &[
    ("main", "app cli config telemetry"),
    ("lib", ""),
    ("app", "*"),
    ("cli", "app clock config identity keys policy recovery s3 secret site state telemetry"),
    ("config", "identity keys policy s3 secret site"),
    ("server", "gateway telemetry s3 clock"),
    ("gateway", "identity authz policy keys seal site replication audit state telemetry s3 clock"),
    ("policy", "authz s3"),
    ("authz", "identity s3"),
    ("identity", "s3 secret clock"),
    ("keys", "seal site secret clock s3"),
    ("replication", "site state seal s3 clock"),
    ("recovery", "seal keys site state replication s3 clock secret"),
    ("site", "s3 clock secret"),
    ("state", "s3 clock secret"),
    ("audit", "s3 clock"),
    ("telemetry", "s3 clock"),
    ("seal", "secret s3"),
    ("s3", ""),
    ("secret", ""),
    ("clock", ""),
];

/// Path prefix of a crate -> the only rooms that may name it.
const LIVES_IN: &[(&str, &str)] = &[
    ("aws_sdk_s3", "site"),
    ("aws_sdk_kms", "keys"),
    ("argon2", "keys"),
    ("cryptoki", "keys"),
    ("aws_sigv4", "site"),
    ("aws_credential_types", "site"),
    ("aws_smithy_types", "site"),
    ("aws_smithy_runtime_api", "site"),
    ("hyper::client", "site"),
    ("hyper_util::client", "site"),
    ("hyper_rustls", "site"),
    ("sqlx", "state"),
    ("aes_gcm", "seal"),
    ("hkdf", "seal"),
    ("aws_lc_rs", "seal recovery"),
    ("sm3", "seal"),
    ("sm4_kernel", "seal"),
    ("anyhow", "cli main"),
    ("clap", "cli"),
    ("indicatif", "cli"),
    ("tar", "recovery"),
    ("flate2", "recovery"),
    ("prometheus", "telemetry"),
    ("getrandom", "clock"),
    ("s3s", "gateway server site"),
    ("s3s_fs", "site"),
    ("s3s_multipart", "gateway"),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 70;

// ------------------------------------------------------------------------------------------- the rules

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(room, _)| *room == source.room) else {
            wrong.push(format!("{}: the room `{}` is not in the table", source.path.display(), source.room));
            continue;
        };
        for import in source.imports() {
            if *allowed != "*" && !allowed.split(' ').any(|room| room == import) {
                wrong.push(format!("{}: `{}` may not import `{import}`", source.path.display(), source.room));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_rooms_import_each_other_in_a_circle() {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        graph.entry(source.room.clone()).or_default().extend(source.imports());
    }
    assert_eq!(circle(&graph), None);
}

#[test]
fn the_table_itself_holds_no_circle() {
    let rows = MAY_IMPORT.iter().filter(|(_, allowed)| *allowed != "*");
    let graph = rows.map(|(room, allowed)| {
        let allowed = allowed.split(' ').filter(|a| !a.is_empty() && *a != "app");
        (room.to_string(), allowed.map(str::to_owned).collect())
    });
    assert_eq!(circle(&graph.collect()), None);
}

#[test]
fn every_crate_stays_in_its_room() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, rooms) in LIVES_IN {
            if !rooms.split(' ').any(|room| room == source.room) && names_crate(&source.code, name) {
                wrong.push(format!("{}: `{name}` belongs into {rooms}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let silent: Vec<_> = sources().into_iter().filter(|s| !s.text.starts_with("//! ")).map(|s| s.path).collect();
    assert!(silent.is_empty(), "no `//!` header: {silent:?}");
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.code.lines().filter(|line| *line != REMOVED).count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{}: {lines} lines without tests (at most {LONGEST_FILE})", source.path.display()));
        }
        for (name, lines) in functions(&source.code) {
            if lines > LONGEST_FUNCTION {
                let path = source.path.display();
                wrong.push(format!("{path}: fn {name} has {lines} lines (at most {LONGEST_FUNCTION})"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_forbidden() {
    let lib = fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs is readable");
    assert!(lib.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn unsafe_code_is_in_one_folder_of_the_kernel() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/sm4-kernel");
    let lib = fs::read_to_string(kernel.join("src/lib.rs")).expect("the kernel's lib.rs is readable");
    assert!(lib.contains("#![deny(unsafe_op_in_unsafe_fn)]") && lib.contains("clippy::undocumented_unsafe_blocks"));
    let holds_unsafe = |path: &PathBuf| {
        let code = blanked(&fs::read_to_string(path).expect("a source file is readable"));
        code.split(|c| !is_word(c)).any(|word| word == "unsafe")
    };
    let files = rust_files(&kernel);
    let unsafe_files: Vec<_> = files.iter().filter(|path| holds_unsafe(path)).collect();
    assert!(!unsafe_files.is_empty(), "the kernel's vector code was not found");
    let elsewhere: Vec<_> = unsafe_files.iter().filter(|path| !path.starts_with(kernel.join("src/x86"))).collect();
    assert!(elsewhere.is_empty(), "`unsafe` belongs into crates/sm4-kernel/src/x86: {elsewhere:?}");
    let members = fs::read_dir(kernel.parent().expect("crates/")).expect("crates/ is readable").count();
    assert_eq!(members, 1, "a new crate under crates/ needs its own line here");
}

#[test]
fn the_binary_is_thin() {
    let main = fs::read_to_string(root().join("main.rs")).expect("src/main.rs is readable");
    assert!(main.lines().count() <= 60);
}

// ------------------------------------------------------------------------------------------- the sources

/// Stands for a line of test code that was taken out.
const REMOVED: &str = "\u{0}";

/// What stands before test code.
const TEST_ONLY: &str = "#[cfg(test)]";

struct Source {
    /// Path below `src/`.
    path: PathBuf,
    /// Top-level module.
    room: String,
    /// How many modules deep the file's own module is (0: the crate root).
    depth: usize,
    /// As it stands.
    text: String,
    /// Without comments, literals and test code.
    code: String,
}

impl Source {
    fn new(path: PathBuf, text: String) -> Self {
        let mut modules: Vec<String> =
            path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let room = modules[0].clone();
        if matches!(modules.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            modules.pop();
        }
        let code = without_tests(&blanked(&text));
        Self { path, room, depth: modules.len(), text, code }
    }

    /// Where the modules lie that this file declares with `#[cfg(test)] mod name;`: path below `src/`, no extension.
    fn test_modules(&self) -> Vec<PathBuf> {
        let inside = self.path.with_extension("");
        let own_name = inside.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let folder = if matches!(own_name, "mod" | "lib" | "main") { inside.parent() } else { Some(&*inside) };
        let code = blanked(&self.text);
        let names = code.split(TEST_ONLY).skip(1).filter_map(|rest| {
            let item = &rest[..item_end(rest)];
            let (_, name) = item.strip_suffix(';')?.split_once("mod ")?;
            Some(name.trim().to_owned())
        });
        names.map(|name| folder.unwrap_or(Path::new("")).join(name)).collect()
    }

    /// Rooms named by `crate::room`, `crate::{room, ...}`, `strongroom::room` (the binary) or a `super::` path that
    /// leads to the crate root.
    fn imports(&self) -> BTreeSet<String> {
        let to_root = "super::".repeat(self.depth);
        let mut prefixes = vec!["crate::".to_owned()];
        if self.depth > 0 {
            prefixes.push(to_root);
        }
        if self.room == "main" {
            prefixes.push("strongroom::".to_owned());
        }
        let named = prefixes.iter().flat_map(|prefix| first_names_after(&self.code, prefix));
        let rooms = rooms();
        named.filter(|name| rooms.contains(name) && *name != self.room).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the sources are readable") {
            let path = entry.expect("the sources are readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Every source file that is not test code.
fn sources() -> Vec<Source> {
    let files = rust_files(&root()).into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("a source file is readable");
        let below = path.strip_prefix(root()).expect("a path below src/").to_owned();
        Source::new(below, text)
    });
    let mut found: Vec<Source> = files.collect();
    assert!(found.len() > 20, "the sources were not found");
    let tests: Vec<PathBuf> = found.iter().flat_map(Source::test_modules).collect();
    found.retain(|source| !tests.iter().any(|test| source.path.with_extension("").starts_with(test)));
    found
}

fn rooms() -> BTreeSet<String> {
    MAY_IMPORT.iter().map(|(room, _)| (*room).to_owned()).collect()
}

// ------------------------------------------------------------------------------------------- reading Rust

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The source with every comment and every literal's content replaced by spaces; lines stay lines.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` when none begins there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let starts = |text: &str, from: usize| text.chars().enumerate().all(|(i, c)| chars.get(from + i) == Some(&c));
    let find = |needle: &str, from: usize| (from..chars.len()).find(|i| starts(needle, *i));
    let after_word = at > 0 && is_word(chars[at - 1]);
    if starts("//", at) {
        return find("\n", at).unwrap_or(chars.len());
    }
    if starts("/*", at) {
        return block_comment_end(chars, at);
    }
    if chars[at] == '"' {
        return string_end(chars, at + 1, '"');
    }
    let raw = if starts("br", at) { 2 } else { 1 };
    if !after_word && (chars[at] == 'r' || raw == 2) {
        let hashes = chars[at + raw..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + raw + hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            return find(&close, at + raw + hashes + 1).map_or(chars.len(), |i| i + close.len());
        }
    }
    // 'x' and '\n' are literals; 'a in <'a> is a lifetime.
    let char_literal = chars[at] == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\''));
    if char_literal { string_end(chars, at + 1, '\'') } else { at }
}

fn string_end(chars: &[char], mut at: usize, close: char) -> usize {
    while at < chars.len() && chars[at] != close {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

fn block_comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Blanked code without the items under `#[cfg(test)]`; each of their lines becomes [`REMOVED`].
fn without_tests(code: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(code.len()), code);
    while let Some(start) = rest.find(TEST_ONLY) {
        let end = start + TEST_ONLY.len() + item_end(&rest[start + TEST_ONLY.len()..]);
        out.push_str(&rest[..start]);
        let lines = rest[start..end].matches('\n').count();
        out.push_str(&format!("{REMOVED}\n").repeat(lines));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Bytes until the item that begins here is over: its closing brace, or a `;` outside of any bracket.
fn item_end(code: &str) -> usize {
    let mut depth = 0i32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if c == '}' && depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The first names of every path that begins with `prefix` (`prefix::{a, b::c}` has two).
fn first_names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let part_of_longer = code[..at].chars().next_back().is_some_and(|c| is_word(c) || c == ':');
        let rest = code[at + prefix.len()..].trim_start();
        if part_of_longer {
            continue;
        }
        match rest.strip_prefix('{') {
            None => drop(names.insert(word(rest))),
            Some(group) => names.extend(group_members(group).iter().map(|member| word(member.trim_start()))),
        }
    }
    names
}

/// The members of a `{...}` group, split at its own commas only.
fn group_members(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

/// Whether a path begins with `name` (`rustls::crypto::aws_lc_rs` does not begin with `aws_lc_rs`).
fn names_crate(code: &str, name: &str) -> bool {
    if let Some((parent, member)) = name.rsplit_once("::") {
        return first_names_after(code, &format!("{parent}::")).contains(member);
    }
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(|c| is_word(c) || c == ':' || c == '.');
        let after = &code[at + name.len()..];
        let used = after.starts_with("::") || code[..at].trim_end().ends_with("use");
        !before && used && !after.chars().next().is_some_and(is_word)
    })
}

/// Every function with a body: name and lines from `fn` to its closing brace.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        if before.is_some_and(is_word) || name.is_empty() {
            continue;
        }
        found.push((name, rest[..item_end(rest)].matches('\n').count() + 1));
    }
    found
}

/// A circle of rooms, if there is one.
fn circle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit<'g>(
        room: &'g String,
        graph: &'g BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<&'g String>,
        done: &mut BTreeSet<&'g String>,
    ) -> Option<Vec<String>> {
        if let Some(from) = way.iter().position(|r| *r == room) {
            return Some(way[from..].iter().map(|r| (*r).clone()).collect());
        }
        if !done.insert(room) {
            return None;
        }
        way.push(room);
        let found = graph.get(room).and_then(|next| next.iter().find_map(|r| visit(r, graph, way, done)));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|room| visit(room, graph, &mut Vec::new(), &mut done))
}

// ------------------------------------------------------------------------- the reader reads what it should

mod reader {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path.into(), text.to_owned())
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn every_way_to_name_a_room_is_found() {
        let text = "use crate::s3::Len;\nuse crate::{keys::{A, seal}, site};\nfn f() { crate::state::x(); }\n";
        assert_eq!(source("gateway/put.rs", text).imports(), names(&["keys", "s3", "site", "state"]));
        assert_eq!(source("gateway/put.rs", "use super::super::server::X;").imports(), names(&["server"]));
        assert_eq!(source("gateway/mod.rs", "use super::server::X;").imports(), names(&["server"]));
        assert_eq!(source("gateway/put.rs", "use super::audit::X;").imports(), names(&[]), "a module of its own");
        assert_eq!(source("main.rs", "strongroom::cli::main()").imports(), names(&["cli"]));
    }

    #[test]
    fn comments_literals_and_tests_do_not_count() {
        let text = "//! [`crate::app`]\n/* crate::cli /* */ crate::cli */\nconst A: &str = \"crate::server \\\" crate::cli\";\n\
                    const B: &str = r#\"\" crate::state\"#;\nconst C: char = '\"';\nfn f<'a>() { crate::s3::x() }\n\
                    #[cfg(test)]\nmod tests {\n    use crate::gateway::X;\n}\n#[cfg(test)]\nmod more;\nuse crate::clock;\n";
        assert_eq!(source("seal/x.rs", text).imports(), names(&["clock", "s3"]));
    }

    #[test]
    fn a_file_declared_for_tests_is_found() {
        let text =
            "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod bed;\n#[cfg(test)]\nmod inline { }\n";
        let paths = |path: &str| source(path, text).test_modules();
        assert_eq!(paths("gateway/mod.rs"), [PathBuf::from("gateway/tests"), PathBuf::from("gateway/bed")]);
        assert_eq!(paths("gateway/put.rs"), [PathBuf::from("gateway/put/tests"), PathBuf::from("gateway/put/bed")]);
        assert_eq!(paths("lib.rs"), [PathBuf::from("tests"), PathBuf::from("bed")]);
    }

    #[test]
    fn a_crate_is_found_by_its_path_not_by_its_letters() {
        assert!(names_crate("use sqlx::Row;", "sqlx") && names_crate("fn f(x: sqlx::Pool)", "sqlx"));
        assert!(
            names_crate("use anyhow;", "anyhow")
                && names_crate("use hyper_util::client::legacy;", "hyper_util::client")
        );
        assert!(names_crate("use hyper_util::{rt::TokioIo, client::legacy};", "hyper_util::client"));
        assert!(!names_crate("use hyper_util::server::conn;", "hyper_util::client"));
        assert!(!names_crate("rustls::crypto::aws_lc_rs::x()", "aws_lc_rs"));
        assert!(!names_crate("my_sqlx::x()", "sqlx") && !names_crate("let sqlx = 1;", "sqlx"));
    }

    #[test]
    fn functions_and_files_are_measured_without_their_tests() {
        let text = "fn a(x: [u8; 2]) -> u8 {\n    x[0]\n}\ntrait T {\n    fn b(&self);\n}\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        let source = source("seal/x.rs", text);
        assert_eq!(functions(&source.code), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
        assert_eq!(source.code.lines().filter(|l| *l != REMOVED).count(), 7);
    }

    #[test]
    fn a_circle_is_found_and_a_tree_is_none() {
        let graph = |edges: &[(&str, &str)]| {
            let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in edges {
                graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
            graph
        };
        assert_eq!(circle(&graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])), None);
        assert!(circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).is_some_and(|c| c == ["b", "c"]));
    }
}
