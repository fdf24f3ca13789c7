//! `strongroom demo` from outside: one command, what it prints works, a second start finds everything again.
mod demo;

use bytes::Bytes;
use demo::Demo;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use strongroom::s3::{BucketName, ObjectKey};
use strongroom::site::{Location, WriteCondition};

fn location() -> Location {
    Location {
        bucket: BucketName::parse("docs").expect("a bucket name"),
        key: ObjectKey::parse("a/letter.txt").expect("a key"),
    }
}

#[tokio::test]
async fn one_command_serves_seals_at_both_sites_and_finds_everything_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dir, plain) = (folder.path().join("demo"), Bytes::from_static(b"dear reader, nobody else shall read this"));
    let first = Demo::start(&dir);
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        assert!(first.exports.get(name).is_some_and(|value| !value.is_empty()), "{name}: {}", first.text);
    }
    assert!(first.text.contains("aws s3 cp "), "{}", first.text);

    let at = location();
    let [proxied, primary, backup] = first.endpoints();
    let proxy = first.client(&proxied);
    proxy.create_bucket(&at.bucket, None).await.expect("a bucket");
    proxy.put_small(&at, plain.clone(), &WriteCondition::Always).await.expect("a put");
    assert_eq!(first.get(&proxied, &at).await, plain);
    let (primary, backup) = (first.get(&primary, &at).await, first.get(&backup, &at).await);
    assert!(primary == backup, "both sites hold the same bytes");
    assert!(primary.len() > plain.len() && !primary.windows(11).any(|w| w == b"dear reader"));

    let credential = first.exports["AWS_ACCESS_KEY_ID"].clone();
    assert_eq!(first.interrupt().code(), Some(0), "Ctrl-C drains and exits 0");

    let second = Demo::start(&dir);
    assert_eq!(second.exports["AWS_ACCESS_KEY_ID"], credential);
    assert_eq!(second.get(&second.endpoints()[0], &at).await, plain);
    assert_eq!(second.interrupt().code(), Some(0));
}

#[test]
fn secrets_are_kept_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("demo");
    assert_eq!(Demo::start(&dir).interrupt().code(), Some(0));
    for name in ["root.key", "credentials.toml", "site.secret"] {
        let mode = fs::metadata(dir.join(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[test]
fn a_port_in_use_is_named_with_the_option_that_changes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .args(["demo", "--dir"])
        .arg(folder.path().join("demo"))
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--primary-port", "0", "--backup-port", &port])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&port) && said.contains("--backup-port"), "{said}");
}
