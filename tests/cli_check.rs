//! `strongroom check` from outside, against two real embedded sites.
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use strongroom::identity::{Credential, save_new, write_private};
use strongroom::keys::{OsEntropy, RootKey};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

async fn site(folder: &Path) -> EmbeddedSite {
    EmbeddedSite::start(folder, 0, "SRTEST", &SecretText::new(SECRET.into())).await.expect("a site")
}

/// A folder with a good configuration for these two endpoints.
fn configured(primary: &str, backup: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    RootKey::create(&folder.path().join("root.key"), &OsEntropy).expect("a root key");
    let credential = Credential::generate("test").expect("a credential");
    save_new(&folder.path().join("credentials.toml"), &credential).expect("a file");
    write_private(&folder.path().join("site.secret"), SECRET).expect("a file");
    let mut text = "[state]\nfolder = \"state\"\n[keys]\nroot = { file = \"root.key\" }\n\
                    [credentials]\nfile = \"credentials.toml\"\n"
        .to_owned();
    for (name, endpoint) in [("primary", primary), ("backup", backup)] {
        text += &format!(
            "[[site]]\nname = \"{name}\"\nrole = \"{name}\"\nendpoint = \"http://{endpoint}\"\n\
             access_key_id = \"SRTEST\"\nsecret_access_key_file = \"site.secret\"\nconnect_timeout = \"500ms\"\n"
        );
    }
    fs::write(folder.path().join("strongroom.toml"), text).expect("a file");
    folder
}

async fn check(folder: &Path) -> (Option<i32>, String) {
    let config = folder.join("strongroom.toml");
    let run = move || {
        let command = Command::new(env!("CARGO_BIN_EXE_strongroom")).arg("check").arg("--config").arg(config).output();
        command.expect("the binary runs")
    };
    // The sites live on this test's runtime: it must not stand still meanwhile.
    let output: Output = tokio::task::spawn_blocking(run).await.expect("no panic");
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

#[tokio::test]
async fn it_says_what_every_site_can_and_cannot_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (primary, backup) = (site(&folder.path().join("p")).await, site(&folder.path().join("b")).await);
    let configured = configured(&primary.address.to_string(), &backup.address.to_string());
    let (code, said) = check(configured.path()).await;
    assert_eq!(code, Some(0), "{said}");
    for expected in [
        "configuration: good",
        "credentials: 1 known",
        "vault keys default",
        "root key: good",
        "site primary: answers",
        "site backup: answers",
        "keyring at backup: none yet",
        "  can: ",
        "  cannot: ",
        "all well",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!configured.path().join("state").exists(), "a check makes no state");
    assert!(!said.contains(SECRET));
}

#[tokio::test]
async fn a_site_that_is_down_or_refuses_is_named_and_the_rest_is_checked_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = site(&folder.path().join("b")).await;
    let configured = configured("127.0.0.1:9", &backup.address.to_string());
    let (code, said) = check(configured.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("site primary: FAILED") && said.contains("site backup: answers"), "{said}");

    fs::remove_file(configured.path().join("site.secret")).expect("the file was there");
    write_private(&configured.path().join("site.secret"), "another-secret-0123456789").expect("a file");
    let (code, said) = check(configured.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("site backup: FAILED"), "{said}");
}

#[tokio::test]
async fn an_unusable_root_key_or_credentials_file_is_named() {
    let configured = configured("127.0.0.1:9", "127.0.0.1:10");
    fs::remove_file(configured.path().join("root.key")).expect("the file was there");
    write_private(&configured.path().join("root.key"), &"0".repeat(64)).expect("a file");
    fs::remove_file(configured.path().join("credentials.toml")).expect("the file was there");
    write_private(&configured.path().join("credentials.toml"), "").expect("a file");
    let (code, said) = check(configured.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("credentials: FAILED") && said.contains("root key: FAILED"), "{said}");
}

#[tokio::test]
async fn it_explains_which_rule_decides_for_an_object() {
    let configured = configured("127.0.0.1:9", "127.0.0.1:10");
    let config = configured.path().join("strongroom.toml");
    let rules = "[[rule]]\nname = \"books\"\nmatch = \"docs/books/**\"\nkey = \"books\"\nreplication = \"strict\"\n";
    fs::write(&config, fs::read_to_string(&config).expect("a file") + rules).expect("a file");
    let explain = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        let output = command.args(["check", "--explain", path, "--config"]).arg(&config).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = explain("docs/books/a");
    assert_eq!(
        (code, said.trim_end()),
        (Some(0), "rule books (docs/books/**) decides: key books, suite aes-256-gcm, replication strict")
    );
    assert!(explain("docs/other").1.contains("the default decides"));
    assert_eq!(explain("docs").0, Some(64));
}
