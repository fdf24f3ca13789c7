//! `strongroom init` from outside: it writes three files once, private, and never again.
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn init(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom")).arg("init").arg("--dir").arg(folder).output().expect("it runs")
}

fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|e| e.expect("an entry"));
    let read = entries.map(|e| {
        let mode = e.metadata().expect("metadata").permissions().mode() & 0o777;
        (e.file_name().to_string_lossy().into_owned(), (mode, fs::read(e.path()).expect("a readable file")))
    });
    read.collect()
}

#[test]
fn it_writes_configuration_root_key_and_credential_and_says_what_comes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("new");
    let output = init(&target);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = files(&target);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["credentials.toml", "root.key", "strongroom.toml"]);
    assert_eq!((files["root.key"].0, files["credentials.toml"].0), (0o600, 0o600));
    assert_eq!(fs::metadata(&target).expect("metadata").permissions().mode() & 0o777, 0o700);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Keep a copy of") && said.contains("check --config"), "{said}");
    let key = String::from_utf8_lossy(&files["root.key"].1).trim().to_owned();
    assert!(key.len() >= 64 && !said.contains(&key), "the root key is written, not shown");
}

#[test]
fn a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(init(folder.path()).status.success());
    fs::write(folder.path().join("strongroom.toml"), "# mine\n").expect("a file");
    let before = files(folder.path());
    let output = init(folder.path());
    assert!(output.status.success());
    assert_eq!(files(folder.path()), before);
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("kept as it was").count(), 3);
}

#[test]
fn what_it_writes_lacks_only_the_sites() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(init(folder.path()).status.success());
    let config = folder.path().join("strongroom.toml");
    let check = Command::new(env!("CARGO_BIN_EXE_strongroom")).arg("check").arg("--config").arg(config).output();
    let check = check.expect("it runs");
    assert_eq!(check.status.code(), Some(64));
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    let fields: Vec<&str> =
        said.lines().filter_map(|line| line.split(": ").find(|part| part.starts_with("site["))).collect();
    assert_eq!(fields, ["site[1].secret_access_key_file", "site[2].secret_access_key_env"], "{said}");
}
