//! PutObject: what is stored, what is verified first, what is refused.
use crate::world::{TEE, World, md5, pattern};
use bytes::Bytes;
use futures_util::stream;
use std::time::Duration;
use strongroom::s3::{Operation, PlainLen};
use strongroom::seal::sealed_len;

const TARGET: &str = "/tee-bucket/key";

#[tokio::test]
async fn any_size_lands_sealed_and_identical_at_both_sites() {
    let world = World::start().await;
    for length in [0, 1, 16_383, 16_384, 16_385, 98_305, 300_000, 5_300_000] {
        let body = pattern(length);
        let answer = world.put(TARGET, body.clone()).await.expect(200);
        assert_eq!(answer.etag(), md5(&body));
        assert_eq!(answer.header("x-amz-server-side-encryption"), "AES256");
        assert_eq!(answer.facts.sites_written, ["primary", "backup"]);
        world.assert_identical(TEE, "key").await;
        let (sealed, _) = world.primary().sealed(TEE, "key").await.expect("stored");
        assert_eq!(sealed.len() as u64, sealed_len(PlainLen(length as u64)).expect("a length").0);
        assert!(length < 100 || !sealed.windows(64).any(|w| w == &body[..64.min(length)]), "plaintext at a site");
        let got = world.get(TARGET).await.expect(200);
        assert!(got.body == body, "{length} bytes come back as they went in");
    }
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn what_the_client_attached_comes_back_and_is_sealed() {
    let world = World::start().await;
    let attached = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-disposition", "attachment; filename=\"private name\""),
        ("cache-control", "no-store"),
        ("x-amz-meta-client", "Li Wei"),
        ("x-amz-acl", "private"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-server-side-encryption", "AES256"),
    ];
    world.put_with(TARGET, &attached, "x").await.expect(200);
    let got = world.get(TARGET).await.expect(200);
    for (name, value) in &attached[..4] {
        assert_eq!(got.header(name), *value);
    }
    let (_, metadata) = world.backup().sealed(TEE, "key").await.expect("stored");
    let metadata = metadata.expect("a sealed header");
    assert!(!metadata.contains("Li Wei") && !metadata.contains("private"));
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn a_body_that_is_not_what_was_declared_leaves_nothing_at_either_site() {
    let world = World::start().await;
    let small = Bytes::from_static(b"hello");
    let large = pattern(3_000_000);
    let cases: [(&str, &str, &str); 9] = [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("content-md5", "nonsense", "InvalidDigest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32c", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-sha256", "AAAA", "InvalidRequest"),
        ("x-amz-checksum-sha512", "AAAA", "NotImplemented"),
    ];
    for (name, value, code) in cases {
        for body in [&small, &large] {
            let answer = world.put_with(TARGET, &[(name, value)], body.clone()).await;
            assert_eq!(answer.element("Code"), code, "{name}: {value}");
        }
    }
    let answer = world.put_with(TARGET, &[("x-amz-checksum-crc32", "AAAAAA==")], small).await;
    assert_eq!(answer.element("Message"), "The CRC32 you specified did not match the calculated checksum.");
    world.assert_nothing(TEE, "key").await;
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn a_right_checksum_is_kept_and_told() {
    let world = World::start().await;
    let headers = [("x-amz-checksum-crc32", "y/Q5Jg=="), ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")];
    let answer = world.put_with(TARGET, &headers, "123456789").await.expect(200);
    assert_eq!(answer.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(answer.header("x-amz-checksum-type"), "FULL_OBJECT");
    let got = world.ask("GET", Operation::GetObject, TARGET, &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(got.header("x-amz-checksum-crc32"), "y/Q5Jg==");
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_what_was_there_before() {
    let world = World::start().await;
    world.put(TARGET, "before").await.expect(200);
    let broken = stream::iter([
        Ok(pattern(2_000_000)),
        Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the client hung up")),
    ]);
    let answer = world.stream(Operation::PutObject, TARGET, &[("content-length", "4000000")], broken).await;
    assert_eq!(answer.verdict(), (400, "IncompleteBody".to_owned()));
    let long = stream::iter([Ok(pattern(1_000)), Ok(pattern(1_000))]);
    let answer = world.stream(Operation::PutObject, TARGET, &[("content-length", "1500")], long).await;
    assert_eq!(answer.status, 400, "more bytes than declared");
    assert_eq!(&world.get(TARGET).await.expect(200).body[..], b"before");
    world.assert_identical(TEE, "key").await;
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_mid_body_leaves_nothing() {
    let world = World::start().await;
    let endless = stream::unfold(0, |sent| async move {
        if sent >= 20 {
            std::future::pending::<()>().await;
        }
        Some((Ok(pattern(100_000)), sent + 1))
    });
    let upload = world.stream(Operation::PutObject, TARGET, &[("content-length", "9000000")], endless);
    assert!(tokio::time::timeout(Duration::from_millis(400), upload).await.is_err(), "it waits for the client");
    world.put("/tee-bucket/other", "the sites are free again").await.expect(200);
    world.assert_nothing(TEE, "key").await;
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn conditions_are_decided_by_the_storage_itself() {
    let world = World::start().await;
    let if_absent = [("if-none-match", "*")];
    let first = world.put_with(TARGET, &if_absent, "one").await.expect(200);
    assert_eq!(world.put_with(TARGET, &if_absent, "two").await.verdict(), (412, "PreconditionFailed".to_owned()));
    let etag = first.header("etag").to_owned();
    let second = world.put_with(TARGET, &[("if-match", &etag)], "two").await.expect(200);
    assert_eq!(world.put_with(TARGET, &[("if-match", &etag)], "three").await.verdict().0, 412);
    let absent = world.put_with("/tee-bucket/absent", &[("if-match", second.header("etag"))], "x").await;
    assert_eq!(absent.verdict(), (404, "NoSuchKey".to_owned()));
    assert_eq!(&world.get(TARGET).await.expect(200).body[..], b"two");
    world.assert_identical(TEE, "key").await;
    world.assert_nothing(TEE, "absent").await;
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn an_etag_may_be_what_the_object_must_not_be() {
    let world = World::start().await;
    let put = async |etag: &str, body: &'static str| world.put_with(TARGET, &[("if-none-match", etag)], body).await;
    let first = put("\"other\"", "one").await.expect(200).header("etag").to_owned();
    assert_eq!(put(&first, "two").await.verdict(), (412, "PreconditionFailed".to_owned()));
    put("\"other\"", "three").await.expect(200);
    put(&first, "four").await.expect(200);
    assert_eq!(&world.get(TARGET).await.expect(200).body[..], b"four");
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn many_creators_of_one_key_have_one_winner() {
    let world = World::start().await;
    let bodies: Vec<String> = (0..12).map(|n| format!("writer {n}")).collect();
    let puts = bodies.iter().map(|body| world.put_with(TARGET, &[("if-none-match", "*")], body.clone()));
    let answers = futures_util::future::join_all(puts).await;
    let won: Vec<_> = answers.iter().zip(&bodies).filter(|(answer, _)| answer.status == 200).collect();
    let [(_, winner)] = won[..] else { panic!("{} winners", won.len()) };
    assert!(answers.iter().all(|answer| [200, 409, 412].contains(&answer.status)));
    assert_eq!(world.get(TARGET).await.text(), *winner);
    world.assert_identical(TEE, "key").await;
}

#[tokio::test]
async fn racing_writers_leave_the_same_object_at_both_sites() {
    let world = World::start().await;
    for _ in 0..5 {
        let puts = (0..10).map(|n| world.put(TARGET, pattern(1_000 + n * 40_000)));
        for answer in futures_util::future::join_all(puts).await {
            answer.expect(200);
        }
        world.assert_identical(TEE, "key").await;
    }
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn what_would_be_dropped_in_silence_is_refused() {
    let world = World::start().await;
    let cases: [(&str, &str, &str); 10] = [
        ("x-amz-server-side-encryption", "aws:kms:dsse", "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", "InvalidArgument"),
        ("x-amz-acl", "public-read", "AccessControlListNotSupported"),
        ("x-amz-grant-read", "id=x", "AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
        ("x-amz-tagging", "a=b", "NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", "NotImplemented"),
        ("x-amz-write-offset-bytes", "5", "NotImplemented"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "a-key", "InvalidArgument"),
        ("x-amz-meta-strongroom", "mine", "InvalidArgument"),
    ];
    for (name, value, code) in cases {
        assert_eq!(world.put_with(TARGET, &[(name, value)], "x").await.element("Code"), code, "{name}");
    }
    let much = "m".repeat(2_100);
    assert_eq!(world.put_with(TARGET, &[("x-amz-meta-much", &much)], "x").await.element("Code"), "MetadataTooLarge");
    let nowhere = world.put("/no-such-bucket/key", "x").await;
    assert_eq!(nowhere.verdict(), (404, "NoSuchBucket".to_owned()));
    world.assert_nothing(TEE, "key").await;
}

#[tokio::test]
async fn a_length_is_wanted_and_has_a_limit() {
    let world = World::start().await;
    let answer = world.stream(Operation::PutObject, TARGET, &[], stream::iter([Ok(pattern(10))])).await;
    assert_eq!(answer.verdict(), (411, "MissingContentLength".to_owned()));
    let answer = world
        .stream(Operation::PutObject, TARGET, &[("content-length", "5368709121")], stream::iter([Ok(pattern(10))]))
        .await;
    assert_eq!(answer.element("Code"), "EntityTooLarge");
}
