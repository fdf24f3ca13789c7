//! `strongroom unseal` from outside: sealed files, a copy of the system bucket and the root key are enough.
use bytes::BytesMut;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use strongroom::keys::{Keyring, OsEntropy, RootKey, RootSource};
use strongroom::s3::{BucketName, ObjectKey, PlainLen};
use strongroom::seal::{ContentInfo, ObjectName, ObjectSealer, PartEntry, Suite, VaultKeyId};
use strongroom::secret::SecretText;
use strongroom::site::embedded::EmbeddedSite;
use strongroom::site::{ListQuery, Location, Site, SiteConfig, SiteName, Sites, Unobserved};

const BUCKET: &str = "docs";
const WRITTEN_AT: u64 = 1_700_000_000;
const TRAILER: usize = strongroom::seal::TRAILER_LEN as usize;

/// A root key, a keyring whose copy lies in a folder, and a folder of sealed files.
struct World {
    folder: tempfile::TempDir,
    keyring: Keyring,
}

impl World {
    /// Makes the keyring at two real embedded sites; what is kept is a copy of the backup's system bucket.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = SecretText::new("0123456789abcdef0123456789abcdef".into());
        let mut sites = Vec::new();
        let mut running = Vec::new();
        for name in ["primary", "backup"] {
            let site = EmbeddedSite::start(&folder.path().join(name), 0, "SRTEST", &secret).await.expect("a site");
            sites.push(Site::new(config(name, &site, &secret), Arc::new(Unobserved)).expect("a client"));
            running.push(site);
        }
        let backup = sites.pop().expect("the backup");
        let sites = Sites { primary: sites.pop().expect("the primary"), backups: vec![backup].into() };
        let system = BucketName::parse("strongroom-system").expect("a bucket name");
        for site in sites.all() {
            site.probe(&system).await.expect("an embedded site answers");
        }
        let root = RootKey::create(&folder.path().join("root.key"), &OsEntropy).expect("a root key");
        let wanted = [VaultKeyId::parse("default").expect("a key name")];
        let keyring = Keyring::open(root, &sites, &system, &wanted, Arc::new(OsEntropy)).await.expect("a keyring");
        copy(&sites.backups[0], &system, &folder.path().join("system")).await;
        for site in running {
            site.stop().await;
        }
        fs::create_dir(folder.path().join("sealed")).expect("a folder");
        Self { folder, keyring }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the sealed form of an object made of these parts where `rclone sync` of the raw bucket would.
    fn seal(&self, key: &str, parts: &[&[u8]]) -> Vec<u8> {
        let sealed = self.sealed(key, parts);
        let path = self.path("sealed").join(key);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
        fs::write(path, &sealed).expect("a sealed file");
        sealed
    }

    fn sealed(&self, key: &str, parts: &[&[u8]]) -> Vec<u8> {
        let id = VaultKeyId::parse("default").expect("a key name");
        let vault = self.keyring.for_sealing(&id).expect("the key was made");
        let sealer = ObjectSealer::generate(Suite::default(), &vault, &OsEntropy).expect("a sealer");
        let mut out = BytesMut::new();
        let mut entries = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let mut message = sealer.message(&OsEntropy).expect("a message");
            message.update(part, &mut out).expect("a sealed part");
            let summary = message.finish(&mut out).expect("a finished part");
            entries.push(PartEntry {
                part_number: index as u16 + 1,
                plain_len: PlainLen(part.len() as u64),
                salt: summary.salt,
                md5: [7; 16],
                checksum: None,
            });
        }
        let multipart = parts.len() > 1;
        let content =
            ContentInfo { md5: [7; 16], multipart, checksum: None, written_at: WRITTEN_AT, metadata_tag: None };
        let (bucket, key) = (BucketName::parse(BUCKET).expect("a bucket"), ObjectKey::parse(key).expect("a key"));
        let name = ObjectName { bucket: &bucket, key: &key };
        let footer = sealer.footer(&name, &entries, &content, &OsEntropy).expect("a footer");
        out.extend_from_slice(&footer);
        out.to_vec()
    }

    fn unseal(&self, more: &[&str], input: &str, output: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .arg("unseal")
            .arg("--system")
            .arg(self.path("system"))
            .arg("--root-key")
            .arg(self.path("root.key"))
            .args(["--bucket", BUCKET])
            .args(more)
            .arg(self.path(input))
            .arg(self.path(output))
            .output()
            .expect("the binary runs")
    }

    /// Every file below a folder, by relative path.
    fn files(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let root = self.path(name);
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                    found.push((below, fs::read(&path).expect("a readable file")));
                }
            }
        }
        found.sort();
        found
    }
}

/// What any S3 tool does: every object of the bucket into a file.
async fn copy(site: &Site, bucket: &BucketName, folder: &Path) {
    let query = ListQuery {
        bucket: bucket.clone(),
        prefix: String::new(),
        delimiter: None,
        token: None,
        start_after: None,
        max_keys: 1000,
    };
    for object in site.list(&query).await.expect("a listing").objects {
        let at = Location { bucket: bucket.clone(), key: ObjectKey::parse(&object.key).expect("a key") };
        let (bytes, _) = site.get_small(&at).await.expect("an object");
        let path = folder.join(&object.key);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
}

fn config(name: &str, site: &EmbeddedSite, secret: &SecretText) -> SiteConfig {
    SiteConfig {
        name: SiteName(name.into()),
        endpoint: format!("http://{}", site.address),
        region: "us-east-1".into(),
        access_key_id: "SRTEST".into(),
        secret_access_key: SecretText::new(secret.expose().into()),
        ca_pem: None,
        bucket_prefix: String::new(),
        connect_timeout: Duration::from_secs(3),
        stall_timeout: Duration::from_secs(30),
        max_idle_connections: 4,
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

#[tokio::test]
async fn a_copied_bucket_comes_back_file_by_file_with_its_times() {
    let world = World::new().await;
    let (one, big, tail) = (bytes(100_000), bytes(5 * 1024 * 1024 + 17), bytes(1));
    world.seal("empty", &[b""]);
    world.seal("2026/11/账单.pdf", &[&one]);
    world.seal("exact", &[&one[..16384]]);
    world.seal("backups/parts.tar", &[&big, &big, &tail]);
    let output = world.unseal(&[], "sealed", "plain");
    assert!(output.status.success(), "{}", said(&output));
    let expected = [
        ("2026/11/账单.pdf".to_owned(), one.clone()),
        ("backups/parts.tar".to_owned(), [&big[..], &big, &tail].concat()),
        ("empty".to_owned(), vec![]),
        ("exact".to_owned(), one[..16384].to_vec()),
    ];
    let files = world.files("plain");
    assert_eq!(files.iter().map(|f| &f.0).collect::<Vec<_>>(), expected.iter().map(|f| &f.0).collect::<Vec<_>>());
    assert!(files == expected, "the plain bytes differ");
    let modified = fs::metadata(world.path("plain/empty")).and_then(|m| m.modified()).expect("a time");
    assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_secs(WRITTEN_AT));
    assert!(said(&output).contains("4 files unsealed") && said(&output).contains("0 failed"), "{}", said(&output));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_file_it_is_named_and_nothing_of_it_is_written() {
    let world = World::new().await;
    let good = world.seal("good", &[&bytes(50_000)]);
    let put = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut sealed = world.seal(name, &[&bytes(50_000)]);
        change(&mut sealed);
        fs::write(world.path("sealed").join(name), sealed).expect("a file");
    };
    put("bad-body", &|s| s[20_000] ^= 1);
    put("bad-first-byte", &|s| s[0] ^= 1);
    put("bad-padding", &|s| {
        let at = s.len() - TRAILER - 1;
        s[at] ^= 1;
    });
    put("bad-trailer", &|s| {
        let at = s.len() - TRAILER + 200;
        s[at] ^= 1;
    });
    put("cut-short", &|s| s.truncate(s.len() - 1));
    put("cut-inside", &|s| drop(s.drain(16_384..32_768)));
    put("one-more", &|s| s.push(0));
    put("nothing", &Vec::clear);
    put("plain", &|s| *s = bytes(4_000));
    fs::write(world.path("sealed/renamed"), &good).expect("a file");
    let output = world.unseal(&[], "sealed", "plain");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(world.files("plain"), [("good".to_owned(), bytes(50_000))], "only the good file has come out");
    let said = said(&output);
    for name in [
        "bad-body",
        "bad-first-byte",
        "bad-padding",
        "bad-trailer",
        "cut-short",
        "cut-inside",
        "one-more",
        "nothing",
        "plain",
        "renamed",
    ] {
        assert!(said.contains(&format!("failed: {name}: ")), "{name}: {said}");
    }
    assert!(said.contains("1 files unsealed, 50000 bytes, 10 failed"), "{said}");
}

#[tokio::test]
async fn a_single_file_needs_its_key_when_its_name_is_not_it() {
    let world = World::new().await;
    fs::write(world.path("found.bin"), world.sealed("a/b/c.txt", &[b"hello"])).expect("a file");
    let output = world.unseal(&[], "found.bin", "out.txt");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("\"found.bin\"") && !world.path("out.txt").exists(), "{}", said(&output));
    let output = world.unseal(&["--key", "a/b/c.txt"], "found.bin", "out.txt");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read(world.path("out.txt")).expect("the plain file"), b"hello");
}

#[tokio::test]
async fn existing_files_are_kept_unless_overwriting_is_asked_for() {
    let world = World::new().await;
    world.seal("a", &[b"new"]);
    fs::create_dir(world.path("plain")).expect("a folder");
    fs::write(world.path("plain/a"), "old").expect("a file");
    let output = world.unseal(&[], "sealed", "plain");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("exists already"), "{}", said(&output));
    assert_eq!(world.files("plain"), [("a".to_owned(), b"old".to_vec())]);
    assert!(world.unseal(&["--overwrite"], "sealed", "plain").status.success());
    assert_eq!(world.files("plain"), [("a".to_owned(), b"new".to_vec())]);
}

#[tokio::test]
async fn another_root_key_or_another_bucket_opens_nothing() {
    let world = World::new().await;
    world.seal("a", &[b"secret"]);
    let output = world.unseal(&["--bucket", "other"], "sealed", "plain");
    assert_ne!(output.status.code(), Some(0), "an option given twice is refused: {}", said(&output));
    let other = world.path("other.key");
    RootKey::create(&other, &OsEntropy).expect("another root key");
    RootKey::load(&RootSource::File(other.clone())).expect("it loads");
    let run = |root: &Path, bucket: &str| {
        Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["unseal", "--bucket", bucket, "--system"])
            .arg(world.path("system"))
            .arg("--root-key")
            .arg(root)
            .arg(world.path("sealed"))
            .arg(world.path("plain"))
            .output()
            .expect("the binary runs")
    };
    assert_eq!(run(&other, BUCKET).status.code(), Some(1));
    assert_eq!(run(&world.path("root.key"), "other").status.code(), Some(1));
    assert_eq!(world.files("plain"), []);
    assert!(run(&world.path("root.key"), BUCKET).status.success());
}

#[tokio::test]
async fn the_output_may_not_lie_inside_the_input() {
    let world = World::new().await;
    world.seal("a", &[b"x"]);
    let output = world.unseal(&[], "sealed", "sealed/plain");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("inside the input"), "{}", said(&output));
}

/// A tarball of a folder, as `tar` makes it.
fn pack(world: &World, arguments: &[&str], tarball: &str) {
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(world.path(tarball)).args(arguments).current_dir(world.folder.path());
    assert!(tar.status().expect("tar runs").success());
}

#[tokio::test]
async fn a_tarball_comes_back_like_the_folder_it_was_made_of() {
    let world = World::new().await;
    let (one, big) = (bytes(100_000), bytes(5 * 1024 * 1024 + 17));
    world.seal("2026/11/账单.pdf", &[&one]);
    world.seal("backups/parts", &[&big, &one]);
    let long = format!("{}/{}", "n".repeat(120), "m".repeat(120));
    world.seal(&long, &[b"a long name"]);
    let mut damaged = world.seal("damaged", &[&one]);
    damaged[50_000] ^= 1;
    fs::write(world.path("sealed/damaged"), damaged).expect("a file");
    let expected = [
        ("2026/11/账单.pdf".to_owned(), one.clone()),
        ("backups/parts".to_owned(), [&big[..], &one].concat()),
        (long, b"a long name".to_vec()),
    ];
    pack(&world, &["-C", "sealed", "."], "dot.tar");
    pack(&world, &["sealed"], "named.tar");
    pack(&world, &["-z", "sealed"], "named.tar.gz");
    for (tarball, strip) in [("dot.tar", ""), ("named.tar", "sealed"), ("named.tar.gz", "sealed")] {
        let plain = format!("plain-{tarball}");
        let output = world.unseal(&["--strip", strip], tarball, &plain);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("damaged: ") && said(&output).contains("1 failed"), "{}", said(&output));
        assert!(world.files(&plain) == expected, "{tarball}");
    }
}

#[tokio::test]
async fn a_renamed_bucket_opens_with_an_alias() {
    let world = World::new().await;
    world.seal("a", &[b"x"]);
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["unseal", "--bucket", "renamed"])
            .args(more)
            .args(["--system"])
            .arg(world.path("system"))
            .arg("--root-key")
            .arg(world.path("root.key"))
            .arg(world.path("sealed"))
            .arg(world.path("plain"))
            .output()
            .expect("the binary runs")
    };
    assert_eq!(run(&[]).status.code(), Some(1));
    assert_eq!(run(&["--alias", "renamed"]).status.code(), Some(64));
    let output = run(&["--alias", "renamed=docs"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(world.files("plain"), [("a".to_owned(), b"x".to_vec())]);
}
