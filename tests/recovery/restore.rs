//! Buckets come back from any site, verified, to folders and buckets.
use crate::world::{World, at, bucket, bytes, files, get_raw, put_raw, put_with};
use strongroom::s3::ObjectKey;
use strongroom::site::Location;

#[tokio::test]
async fn a_backup_alone_gives_everything_back_as_plain_files() {
    let mut world = World::start().await;
    let (small, large) = (bytes(100_000), bytes(5 * 1024 * 1024));
    world.put("2026/11/账单.pdf", &[&small]).await;
    world.put("backups/all.tar", &[&large, &large, b"end"]).await;
    world.put("../../escape", &[b"caught"]).await;
    world.put("folder/", &[b""]).await;
    world.stop_primary().await;
    let arguments = ["--from", "backup", "--bucket", "docs", "--to-folder", "out"];
    let said = world.run(&["restore"], &arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("4 restored"), "{}", said.out);
    let expected = [
        ("%2E%2E/%2E%2E/escape".to_owned(), b"caught".to_vec()),
        ("2026/11/账单.pdf".to_owned(), small),
        ("backups/all.tar".to_owned(), [&large[..], &large, b"end"].concat()),
    ];
    assert!(files(&world.path("out")) == expected && world.path("out/folder").is_dir());

    let said = world.run(&["restore"], &arguments).await;
    assert_eq!(said.code, Some(1), "what exists is kept: {}", said.err);
    std::fs::remove_file(world.path("out/backups/all.tar")).expect("removed");
    let resumed = [&arguments[..], &["--resume", "--prefix", "b"]].concat();
    let said = world.run(&["restore"], &resumed).await;
    assert!(said.out.starts_with("1 restored"), "{} {}", said.out, said.err);
    let resumed = [&arguments[..], &["--resume", "--prefix", "2026/"]].concat();
    assert!(world.run(&["restore"], &resumed).await.out.starts_with("0 restored (0 plain bytes), 1 there already"));
}

#[tokio::test]
async fn a_damaged_object_is_named_and_never_gets_its_name() {
    let world = World::start().await;
    let sealed = world.put("bad", &[&bytes(400_000)]).await;
    world.put("good", &[b"x"]).await;
    world.rot("backup", &sealed, 399_000);
    let said = world.run(&["restore"], &["--from", "backup", "--bucket", "docs", "--to-folder", "out"]).await;
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("failed: bad: authentication failed"), "{}", said.err);
    assert_eq!(files(&world.path("out")), [("good".to_owned(), b"x".to_vec())]);
}

#[tokio::test]
async fn sealed_bytes_go_to_a_folder_for_unseal_and_to_a_bucket_that_an_alias_makes_readable() {
    let world = World::start().await;
    let sealed = world.put("a/b", &[&bytes(5 * 1024 * 1024), b"tail"]).await;
    let said = world.run(&["restore"], &["--bucket", "docs", "--to-folder", "vault", "--sealed"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(files(&world.path("vault")) == [("a/b".to_owned(), sealed.to_vec())]);

    let to = ["--bucket", "docs", "--sealed", "--to-site", "backup", "--to-bucket", "docs-2026"];
    let said = world.run(&["restore"], &to).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("[[bucket_alias]]") && said.err.contains("sealed_as = \"docs\""), "{}", said.err);
    let copy = Location { bucket: bucket("docs-2026"), key: ObjectKey::parse("a/b").expect("a key") };
    assert!(get_raw(&world.backup, &copy).await.as_deref() == Some(&sealed[..]));

    let verify = ["--site", "backup", "--bucket", "docs-2026"];
    assert_eq!(world.run(&["verify"], &verify).await.code, Some(1), "bound to its old name");
    world.configure("[[bucket_alias]]\nbucket = \"docs-2026\"\nsealed_as = \"docs\"\n");
    let said = world.run(&["verify"], &verify).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[tokio::test]
async fn content_that_lost_its_metadata_is_restored_from_there_and_mended_from_the_other_site() {
    let world = World::start().await;
    let (sealed, metadata) = world.sealed_with("k", &[b"content"], 1, Some(b"{\"t\":\"text/plain\"}"));
    put_with(&world.primary, &at("k"), &sealed, metadata.as_deref()).await;
    put_raw(&world.backup, &at("k"), &sealed).await;
    let said = world.run(&["restore"], &["--from", "backup", "--bucket", "docs", "--to-folder", "out"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(files(&world.path("out")), [("k".to_owned(), b"content".to_vec())]);
    let said = world.run(&["reconcile"], &["--all"]).await;
    assert!(said.out.contains("damaged at backup: it has lost its sealed metadata"), "{}", said.out);
    let said = world.run(&["reconcile"], &["--all", "--repair"]).await;
    assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
    assert_eq!(world.run(&["verify"], &[]).await.code, Some(0));
}

#[tokio::test]
async fn plaintext_never_goes_to_a_site() {
    let world = World::start().await;
    world.put("a", &[b"x"]).await;
    let said = world.run(&["restore"], &["--bucket", "docs", "--to-site", "backup", "--to-bucket", "plain"]).await;
    assert_eq!(said.code, Some(64), "{} {}", said.out, said.err);
    assert!(get_raw(&world.backup, &Location { bucket: bucket("plain"), key: at("a").key }).await.is_none());
}

#[tokio::test]
async fn plaintext_goes_to_an_endpoint_that_is_named_with_its_credential() {
    let world = World::start().await;
    let plain = bytes(700_000);
    world.put("a", &[&plain]).await;
    // Stands for the proxy of another deployment.
    let other = World::start().await;
    let endpoint = other.endpoint();
    let arguments = [
        "--bucket",
        "docs",
        "--to-bucket",
        "restored",
        "--to-endpoint",
        &endpoint,
        "--to-access-key-id",
        "SRTEST",
        "--to-secret-file",
        "site.secret",
    ];
    let said = world.run(&["restore"], &arguments).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let copy = Location { bucket: bucket("restored"), key: at("a").key };
    assert!(get_raw(&other.primary, &copy).await == Some(plain));
    let resumed = [&arguments[..], &["--resume"]].concat();
    assert!(world.run(&["restore"], &resumed).await.out.contains("1 there already"));
}
