//! A drill needs one backup and the escrowed root key, and its report can be checked by anybody.
use crate::world::{World, at, bytes};
use std::fs;
use std::process::Command;

/// The escrowed copy of the root key.
fn escrow(world: &World) {
    let text = fs::read_to_string(world.path("root.key")).expect("the root key");
    strongroom::identity::write_private(&world.path("escrow.key"), &text).expect("a file");
}

fn report(world: &World) -> serde_json::Value {
    serde_json::from_slice(&fs::read(world.path("drill.json")).expect("a report")).expect("JSON")
}

async fn check(world: &World, file: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command.args(["drill", "verify", file]).args(arguments);
    let said = world.say(command).await;
    (said.code, said.out + &said.err)
}

#[tokio::test]
async fn a_drill_restores_from_the_backup_alone_and_signs_what_it_found() {
    let mut world = World::start().await;
    for i in 0..12 {
        world.put(&format!("clients/{i}/book"), &[&bytes(10_000 + i)]).await;
    }
    let exported = world.run(&["drill", "export"], &["--output", "primary.list"]).await;
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    let primary = world.primary_address();
    world.stop_primary().await;
    escrow(&world);
    let arguments =
        ["--root-key", "escrow.key", "--sample", "5", "--seed", "42", "--manifest", "primary.list", "--keep", "kept"];
    let said = world.run(&["drill"], &arguments).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.contains("passed: 5 of 5"), "{}", said.out);

    let report = report(&world);
    let facts = &report["report"];
    let isolation = &facts["isolation"];
    assert_eq!((&isolation["site"], &isolation["withheld"][0]), (&"backup".into(), &"primary".into()));
    let connections = isolation["connections"].to_string();
    assert!(connections.contains("127.0.0.1:") && !connections.contains(&primary), "{connections}");
    assert_eq!(isolation["environment"], serde_json::json!([]));
    let attempts = isolation["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2, "before and after the work: {attempts:?}");
    for attempt in attempts {
        assert_eq!((&attempt["site"], &attempt["refused"]), (&"primary".into(), &true.into()));
        assert!(attempt["outcome"].to_string().contains("may connect to"), "by the process itself: {attempt}");
    }
    assert_eq!((&facts["held"]["objects"], &facts["manifest"]["missing"]), (&12.into(), &0.into()));
    assert_eq!(facts["rpo"]["seconds"], 0);
    assert_eq!(crate::world::files(&world.path("kept/docs")).len(), 5);
    assert!(fs::read_to_string(world.path("drill.html")).expect("a page").contains("passed"));

    let key = report["signature"]["public_key"].as_str().expect("a key").to_owned();
    let (code, text) = check(&world, "drill.json", &["--public-key", &key]).await;
    assert!(code == Some(0) && text.contains("the signature fits"), "{text}");
    assert_eq!(check(&world, "drill.json", &["--public-key", &"0".repeat(64)]).await.0, Some(1));
    let forged =
        fs::read_to_string(world.path("drill.json")).expect("a report").replace("\"seed\": 42", "\"seed\": 43");
    fs::write(world.path("forged.json"), forged).expect("a file");
    let (code, text) = check(&world, "forged.json", &[]).await;
    assert!(code == Some(1) && text.contains("was changed"), "{text}");
}

#[tokio::test]
async fn the_primary_cannot_be_reached_even_while_it_answers() {
    let world = World::start().await;
    world.put("book", &[&bytes(10_000)]).await;
    escrow(&world);
    let said = world.run(&["drill"], &["--root-key", "escrow.key", "--sample", "1"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    let report = report(&world);
    let isolation = &report["report"]["isolation"];
    let attempts = isolation["attempts"].as_array().expect("attempts");
    assert!(attempts.iter().all(|attempt| attempt["refused"] == true), "{attempts:?}");
    let primary = world.primary_address();
    assert!(!isolation["connections"].to_string().contains(&primary), "{isolation}");
    assert!(fs::read_to_string(world.path("drill.html")).expect("a page").contains("refused"));
}

#[tokio::test]
async fn the_same_seed_samples_the_same_objects() {
    let world = World::start().await;
    for i in 0..20 {
        world.put(&format!("key-{i}"), &[b"x"]).await;
    }
    escrow(&world);
    let mut samples = Vec::new();
    for seed in ["1", "1", "2"] {
        let said = world.run(&["drill"], &["--root-key", "escrow.key", "--sample", "4", "--seed", seed]).await;
        assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
        samples.push(report(&world)["report"]["sample"]["objects"].clone());
    }
    assert!(samples[0] == samples[1] && samples[0] != samples[2]);
}

#[tokio::test]
async fn damage_and_losses_at_the_backup_are_in_the_report_and_in_the_exit_code() {
    let world = World::start().await;
    let sealed = world.put("bad", &[&bytes(30_000)]).await;
    world.put("good", &[b"x"]).await;
    world.put("lost", &[b"x"]).await;
    world.run(&["drill", "export"], &["--output", "primary.list"]).await;
    world.backup.delete(&at("lost")).await.expect("deleted");
    world.rot("backup", &sealed, 20_000);
    escrow(&world);
    let said = world.run(&["drill"], &["--root-key", "escrow.key", "--manifest", "primary.list"]).await;
    assert_eq!(said.code, Some(1), "{} {}", said.out, said.err);
    assert!(said.out.contains("WRONG: docs/bad: authentication failed"), "{}", said.out);
    let report = report(&world);
    let facts = &report["report"];
    assert_eq!((&facts["passed"], &facts["manifest"]["missing"]), (&false.into(), &1.into()));
    assert!(facts["rpo"]["basis"].as_str().expect("a text").contains("that the backup lacks"));
}

#[tokio::test]
async fn another_root_key_restores_nothing() {
    let world = World::start().await;
    world.put("a", &[b"x"]).await;
    strongroom::identity::write_private(&world.path("other.key"), &"ab".repeat(32)).expect("a file");
    let said = world.run(&["drill"], &["--root-key", "other.key"]).await;
    assert_eq!(said.code, Some(2), "{} {}", said.out, said.err);
    assert!(said.err.contains("escrowed root key") && !world.path("drill.json").exists(), "{}", said.err);
}
