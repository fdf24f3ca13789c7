//! What runs inside `strongroom serve`: the comparison on a schedule, and the metrics of the newest drill.
use crate::world::{World, at, bucket, bytes, client_with, get_raw, put_raw};
use bytes::Bytes;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use strongroom::s3::ObjectKey;
use strongroom::site::Location;

/// A proxy; killed when dropped.
struct Serving {
    child: Child,
    s3: String,
    admin: String,
}

impl Serving {
    /// Must not stand in the way of the runtime that the sites live on.
    fn start(world: &World) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["serve", "--config"])
            .arg(world.path("strongroom.toml"))
            .current_dir(world.folder.path())
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let serving = lines.by_ref().map(|line| line.expect("a line")).find(|line| line.contains("serving"));
        let line = serving.expect("it serves");
        let address = |name: &str| {
            let rest = line.split(name).nth(1).expect("an address");
            rest.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).next().unwrap_or_default().to_owned()
        };
        let (s3, admin) = (address("s3="), address("admin="));
        // The rest of the log has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, s3, admin }
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let mut stream = TcpStream::connect(&self.admin).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    fn until(&self, name: &str, fits: impl Fn(f64) -> bool) -> f64 {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            match self.metric(name) {
                Some(value) if fits(value) => return value,
                value => assert!(Instant::now() < patience, "{name} is {value:?}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_finds_and_repairs_what_the_journal_does_not_know_of() {
    let world = World::start().await;
    let sealed = world.put("lost", &[&bytes(30_000)]).await;
    world.put("kept", &[b"x"]).await;
    world.backup.delete(&at("lost")).await.expect("deleted");
    world.configure("[reconcile]\nevery = \"1s\"\nrepair = true\nsample = \"100%\"\n");
    let serving = tokio::task::block_in_place(|| Serving::start(&world));
    tokio::task::block_in_place(|| {
        serving.until("strongroom_reconcile_repaired_total", |repaired| repaired == 1.0);
        serving.until("strongroom_reconcile_objects{result=\"same\"}", |same| same == 2.0);
        assert!(serving.metric("strongroom_reconcile_last_timestamp_seconds").is_some_and(|at| at > 0.0));
    });
    assert!(get_raw(&world.backup, &at("lost")).await.as_deref() == Some(&sealed[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_was_copied_at_the_storage_is_read_through_its_alias() {
    let world = World::start().await;
    let plain = bytes(300_000);
    let sealed = world.put("a/b", &[&plain]).await;
    let (archive, key) = (bucket("archive"), ObjectKey::parse("ledgers-2025/a/b").expect("a key"));
    let copy = Location { bucket: archive, key };
    for site in [&world.primary, &world.backup] {
        site.create_bucket(&copy.bucket, None).await.expect("a bucket");
        put_raw(site, &copy, &sealed).await;
    }
    let alias = "[[bucket_alias]]\nbucket = \"archive\"\nprefix = \"ledgers-2025/\"\nsealed_as = \"docs\"\n";
    for (more, readable) in [("", false), (alias, true)] {
        world.configure(more);
        let serving = tokio::task::block_in_place(|| Serving::start(&world));
        let credentials = strongroom::identity::load(&world.path("credentials.toml")).expect("credentials");
        let (principal, secret) = credentials.iter().next().expect("one");
        let client = client_with("proxy", &format!("http://{}", serving.s3), &principal.access_key_id, secret.expose());
        assert_eq!(get_raw(&client, &copy).await.as_ref() == Some(&plain), readable);
        if readable {
            put_raw(&client, &Location { key: at("new").key, ..copy.clone() }, &Bytes::from_static(b"new")).await;
            let new = Location { key: at("new").key, ..copy.clone() };
            assert_eq!(get_raw(&client, &new).await.as_deref(), Some(&b"new"[..]), "new objects have their own name");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_tell_of_the_newest_drill_that_its_key_has_signed() {
    let world = World::start().await;
    world.put("a", &[b"x"]).await;
    let text = std::fs::read_to_string(world.path("root.key")).expect("the root key");
    strongroom::identity::write_private(&world.path("escrow.key"), &text).expect("a file");
    assert_eq!(world.run(&["drill"], &["--root-key", "escrow.key"]).await.code, Some(0));
    let report = std::fs::read(world.path("drill.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    let ended = report["report"]["ended_at"].as_f64().expect("a time");
    let key = report["signature"]["public_key"].as_str().expect("a key");
    let last = "strongroom_drill_last_success_timestamp_seconds";
    for (key, expected) in [(key, ended), (&*"0".repeat(64), 0.0)] {
        world.configure(&format!("[drill]\nreport = \"drill.json\"\npublic_key = \"{key}\"\n"));
        tokio::task::block_in_place(|| {
            let serving = Serving::start(&world);
            assert_eq!(serving.until(last, |_| true), expected);
        });
    }
}
