//! The command line from outside: exit codes and messages of wrong usage and wrong configuration.
use std::path::Path;
use std::process::{Command, Output};

fn strongroom(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom")).args(arguments).output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"], &["unseal", "--help"]] {
        let output = strongroom(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn bad_usage_exits_64_and_says_why() {
    for (arguments, hint) in [
        (&[][..], "Usage"),
        (&["fly"], "fly"),
        (&["serve"], "--config"),
        (&["serve", "--config"], "--config"),
        (&["demo", "--listen", "nowhere"], "nowhere"),
        (&["demo", "--primary-port", "99999"], "99999"),
        (&["unseal", "--system", "x", "--root-key", "y", "in", "out"], "--bucket"),
        (&["unseal", "--system", "x", "--root-key", "y", "--bucket", "NO", "in", "out"], "as clients do"),
        (&["unseal", "--system", "x", "--root-key", "y", "--bucket", "abc", "no/such/input", "out"], "no/such/input"),
    ] {
        let output = strongroom(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(hint), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_configuration_exits_64_and_names_file_line_field_and_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("strongroom.toml");
    std::fs::write(&file, "region = \"x\"\n[listen]\nadress = \"127.0.0.1:1\"\n").expect("a file");
    for command in ["serve", "check"] {
        let output = strongroom(&[command, "--config", text(&file)]);
        assert_eq!(output.status.code(), Some(64), "{command}");
        let expected =
            format!("{}:3: listen.adress: there is no setting `adress` here; did you mean `address`?", text(&file));
        assert!(stderr(&output).contains(&expected), "{command}: {}", stderr(&output));
        assert!(stderr(&output).contains("credentials.file: it is missing; add"), "all problems come at once");
    }
}

#[test]
fn a_missing_configuration_exits_64_and_says_what_to_do() {
    let output = strongroom(&["serve", "--config", "no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("no/such/file.toml: the file cannot be read") && stderr(&output).contains("init"));
}
