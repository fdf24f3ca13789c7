//! What runs inside `strongroom serve`: the comparison on a schedule, and the metrics of the newest drill.
use crate::world::{World, at, bytes, get_raw};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A proxy; killed when dropped.
struct Serving {
    child: Child,
    admin: String,
}

impl Serving {
    /// Must not stand in the way of the runtime that the sites live on.
    fn start(world: &World) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["serve", "--config"])
            .arg(world.path("strongroom.toml"))
            .current_dir(world.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let serving = lines.by_ref().map(|line| line.expect("a line")).find(|line| line.contains("serving"));
        let line = serving.expect("it serves");
        let address = line.split("admin=").nth(1).expect("an address").trim();
        let admin = address.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).next().unwrap_or_default();
        let admin = admin.to_owned();
        // The rest of the log has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, admin }
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
    assert_eq!(get_raw(&world.backup, &at("lost")).await.as_deref(), Some(&sealed[..]));
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
