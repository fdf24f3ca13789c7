//! Every byte of every site is read, and what is wrong is named.
use crate::world::{World, at, bytes, put_raw};
use bytes::Bytes;

#[tokio::test]
async fn good_sites_are_good_and_a_flipped_bit_is_named_with_its_site() {
    let world = World::start().await;
    world.put("good", &[&bytes(300_000)]).await;
    world.put("parts", &[&bytes(5 * 1024 * 1024), &bytes(5 * 1024 * 1024), b"end"]).await;
    let sealed = world.put("spoilt", &[&bytes(40_000)]).await;
    let said = world.run(&["verify"], &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("6 good"), "{}", said.out);
    world.rot("backup", &sealed, 0);
    let said = world.run(&["verify"], &["--parallel", "2"]).await;
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("DAMAGED: backup:docs/spoilt"), "{}", said.err);
    assert!(said.out.starts_with("5 good") && said.out.contains("1 damaged"), "{}", said.out);
    let said = world.run(&["verify"], &["--site", "primary"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[tokio::test]
async fn every_byte_counts_whichever_it_is() {
    let world = World::start().await;
    let sealed = world.put("k", &[&bytes(5 * 1024 * 1024), b"tail"]).await;
    let length = sealed.len();
    for byte in [0, 30, 1_000_000, length - 1_000, length - 600, length - 528, length - 1] {
        let mut wrong = sealed.to_vec();
        wrong[byte] ^= 1;
        put_raw(&world.primary, &at("k"), &Bytes::from(wrong)).await;
        let said = world.run(&["verify"], &["--site", "primary"]).await;
        // Without its magic it is no object of ours any more.
        let expected = if byte == length - 1 { "1 not sealed" } else { "1 damaged" };
        assert!(said.out.contains(expected), "byte {byte}: {} {}", said.out, said.err);
    }
}

#[tokio::test]
async fn an_interrupted_run_goes_on_behind_what_it_had_done() {
    let mut world = World::start().await;
    for i in 0..30 {
        world.put(&format!("key-{i:02}"), &[b"x"]).await;
    }
    world.stop_primary().await;
    let with_state = ["--state", "verify.state", "--bucket", "docs"];
    let backup_first = [&with_state[..], &["--site", "backup", "--site", "primary"]].concat();
    let said = world.run(&["verify"], &backup_first).await;
    assert_eq!(said.code, Some(2), "the primary cannot be listed: {}", said.err);
    let state = std::fs::read_to_string(world.path("verify.state")).expect("a state file");
    assert!(state.contains("\"backup:docs\"") && state.contains("\"good\":30"), "{state}");
    let other = world.run(&["verify"], &["--state", "verify.state", "--bucket", "docs", "--prefix", "x"]).await;
    assert_eq!(other.code, Some(2), "another job's state is refused");
    assert!(other.err.contains("belongs to another job"), "{}", other.err);
}

#[tokio::test]
async fn a_sample_reads_its_share_and_says_what_it_left_out() {
    let world = World::start().await;
    for i in 0..40 {
        world.put(&format!("key-{i}"), &[b"x"]).await;
    }
    let said = world.run(&["verify"], &["--sample", "50%", "--seed", "3", "--site", "backup"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let number = |what: &str| {
        let before = said.out.split(what).next().expect("a number before");
        before.rsplit([' ', ',']).find(|word| !word.is_empty()).and_then(|word| word.parse::<u64>().ok())
    };
    let (good, left_out) = (said.out.split(' ').next().and_then(|n| n.parse().ok()), number(" left out"));
    assert_eq!(good.zip(left_out).map(|(good, left): (u64, u64)| good + left), Some(40), "{}", said.out);
    assert!((8..32).contains(&good.unwrap_or(0)), "{}", said.out);
}
