//! Differences are found, shown, and repaired from the good side.
use crate::world::{World, at, bytes, get_raw, put_raw};
use bytes::Bytes;
use strongroom::state::{Missed, State};

#[tokio::test]
async fn equal_sites_are_said_to_be_equal() {
    let world = World::start().await;
    world.put("a", &[b"one"]).await;
    world.put("clients/4711/账单.pdf", &[&bytes(100_000)]).await;
    let said = world.run(&["reconcile"], &[]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, "= backup:docs/a\n= backup:docs/clients/4711/账单.pdf\n");
    let said = world.run(&["reconcile"], &["--differences", "--all", "--prefix", "clients/"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert!(said.err.contains("1 same"), "{}", said.err);
}

#[tokio::test]
async fn what_is_missing_or_different_has_the_symbols_of_rclone_check_and_is_left_alone() {
    let world = World::start().await;
    world.put("same", &[b"x"]).await;
    put_raw(&world.primary, &at("only-here"), &world.sealed("only-here", &[b"x"], 1)).await;
    put_raw(&world.backup, &at("only-there"), &world.sealed("only-there", &[b"x"], 1)).await;
    for (site, content) in [(&world.primary, b"one"), (&world.backup, b"two")] {
        put_raw(site, &at("other"), &world.sealed("other", &[content], 1)).await;
    }
    let said = world.run(&["reconcile"], &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.err);
    let expected = ["+ backup:docs/only-here", "- backup:docs/only-there", "* backup:docs/other", "= backup:docs/same"];
    assert_eq!(said.out.lines().collect::<Vec<_>>(), expected);
    assert!(get_raw(&world.backup, &at("only-here")).await.is_none());
    let said = world.run(&["reconcile"], &["--json"]).await;
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["symbol"], &lines[0]["key"]), (&"+".into(), &"only-here".into()));
    assert_eq!(lines.last().expect("a summary")["left"], 3);
}

#[tokio::test]
async fn rot_behind_equal_etags_is_found_by_reading_and_repaired_from_the_good_side() {
    let world = World::start().await;
    let [here, there] = ["rotten-here", "rotten-there"].map(|key| (key, bytes(40_000)));
    let sealed_here = world.put(here.0, &[&here.1]).await;
    let sealed_there = world.put(there.0, &[&there.1]).await;
    world.rot("primary", &sealed_here, 20_000);
    world.rot("backup", &sealed_there, sealed_there.len() - 200);
    assert_eq!(world.run(&["reconcile"], &[]).await.code, Some(0), "listings look the same");
    let said = world.run(&["reconcile"], &["--all"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("* backup:docs/rotten-here\tdamaged at primary"), "{}", said.out);
    assert!(said.out.contains("* backup:docs/rotten-there\tdamaged at backup"), "{}", said.out);
    let said = world.run(&["reconcile"], &["--all", "--repair"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.contains("rotten-here\trepaired") && said.out.contains("copied from backup"), "{}", said.out);
    for (key, sealed) in [(here.0, &sealed_here), (there.0, &sealed_there)] {
        for site in [&world.primary, &world.backup] {
            assert!(get_raw(site, &at(key)).await.as_deref() == Some(&sealed[..]), "{key} at {}", site.name());
        }
    }
    assert_eq!(world.run(&["reconcile"], &["--all"]).await.code, Some(0));
}

#[tokio::test]
async fn wrong_bytes_at_the_primary_are_never_spread() {
    let world = World::start().await;
    let good = world.put("book", &[&bytes(50_000)]).await;
    let mut wrong = good.to_vec();
    wrong[1_000] ^= 1;
    put_raw(&world.primary, &at("book"), &Bytes::from(wrong)).await;
    let said = world.run(&["reconcile"], &[]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.starts_with("* backup:docs/book\tthe trailers are equal"), "{}", said.out);
    let said = world.run(&["reconcile"], &["--repair"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.contains("damaged at primary") && said.out.contains("copied from backup"), "{}", said.out);
    assert!(get_raw(&world.primary, &at("book")).await.as_deref() == Some(&good[..]));

    let mut both = good.to_vec();
    both[1_000] ^= 1;
    put_raw(&world.primary, &at("book"), &Bytes::from(both.clone())).await;
    both[1_000] ^= 3;
    put_raw(&world.backup, &at("book"), &Bytes::from(both.clone())).await;
    let said = world.run(&["reconcile"], &["--repair"]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("no good copy"), "{}", said.out);
    assert!(get_raw(&world.backup, &at("book")).await == Some(both), "nothing was changed");
}

#[tokio::test]
async fn what_one_site_lacks_comes_from_the_other_even_its_bucket() {
    let world = World::start().await;
    let sealed = world.put("a", &[&bytes(6 * 1024 * 1024), b"tail"]).await;
    world.primary.delete(&at("a")).await.expect("deleted");
    world.primary.delete_bucket(&at("a").bucket).await.expect("deleted");
    let said = world.run(&["reconcile"], &["--repair"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(said.out.starts_with("- backup:docs/a\trepaired"), "{}", said.out);
    assert!(get_raw(&world.primary, &at("a")).await.as_deref() == Some(&sealed[..]));
}

#[tokio::test]
async fn of_two_authentic_versions_the_primarys_counts_unless_it_is_the_older_one() {
    let world = World::start().await;
    let (older, newer) = (world.sealed("k", &[b"older"], 100), world.sealed("k", &[b"newer"], 200));
    put_raw(&world.primary, &at("k"), &newer).await;
    put_raw(&world.backup, &at("k"), &older).await;
    assert_eq!(world.run(&["reconcile"], &["--repair"]).await.code, Some(0));
    assert!(get_raw(&world.backup, &at("k")).await.as_deref() == Some(&newer[..]));

    put_raw(&world.primary, &at("k"), &older).await;
    let said = world.run(&["reconcile"], &["--repair"]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.out.contains("the primary may have been set back"), "{}", said.out);
    assert!(get_raw(&world.backup, &at("k")).await.as_deref() == Some(&newer[..]), "left as it is");
    let said = world.run(&["reconcile"], &["--repair", "--prefer", "backup"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert!(get_raw(&world.primary, &at("k")).await.as_deref() == Some(&newer[..]));
}

#[tokio::test]
async fn what_the_journal_knows_of_is_left_to_replication() {
    let world = World::start().await;
    world.put("deleted", &[b"x"]).await;
    world.primary.delete(&at("deleted")).await.expect("deleted");
    let state = State::open(&world.path("state")).await.expect("a state");
    let deleted = at("deleted");
    let missed = Missed::new("backup", &deleted.bucket, Some(&deleted.key), "it was down");
    state.record_misses(vec![missed], 0).await.expect("recorded");
    state.close().await;
    let said = world.run(&["reconcile"], &["--repair"]).await;
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.starts_with("- backup:docs/deleted\tpending"), "{}", said.out);
    assert!(get_raw(&world.primary, &deleted).await.is_none(), "what was deleted does not come back");
}

#[tokio::test]
async fn what_cannot_be_compared_is_an_error_and_not_a_difference() {
    let mut world = World::start().await;
    world.put("a", &[b"x"]).await;
    world.stop_primary().await;
    let said = world.run(&["reconcile"], &["--bucket", "docs"]).await;
    assert_eq!(said.code, Some(2), "{} {}", said.out, said.err);
    assert!(said.out.starts_with("! backup:docs/"), "{}", said.out);
    assert_eq!(world.run(&["reconcile"], &["--sample", "much"]).await.code, Some(64));
}
