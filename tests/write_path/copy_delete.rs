//! CopyObject, DeleteObject, DeleteObjects.
use crate::world::{Answer, STRICT, TEE, World, at, md5, pattern};
use strongroom::s3::Operation;

async fn copy(world: &World, source: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("x-amz-copy-source", source));
    world.ask("PUT", Operation::CopyObject, target, &headers, "").await
}

const SOURCE: &str = "/tee-bucket/source";
const TARGET: &str = "/strict-bucket/target";

#[tokio::test]
async fn a_copy_across_buckets_keeps_bytes_and_headers_and_is_sealed_afresh() {
    let world = World::start().await;
    let body = pattern(1_234_567);
    let headers = [("content-type", "application/pdf"), ("x-amz-meta-a", "b"), ("content-language", "zh")];
    world.put_with(SOURCE, &headers, body.clone()).await.expect(200);
    let copied = copy(&world, SOURCE, TARGET, &[]).await.expect(200);
    assert_eq!(copied.element("ETag").trim_matches('"'), md5(&body));
    let got = world.get(TARGET).await.expect(200);
    assert!(got.body == body);
    for (name, value) in headers {
        assert_eq!(got.header(name), value);
    }
    world.assert_identical(STRICT, "target").await;
    let [from, to] = [(TEE, "source"), (STRICT, "target")].map(|(bucket, key)| world.primary().sealed(bucket, key));
    assert_ne!(from.await.expect("stored").0, to.await.expect("stored").0);
}

#[tokio::test]
async fn metadata_is_replaced_when_asked_also_in_place() {
    let world = World::start().await;
    world.put_with(SOURCE, &[("x-amz-meta-a", "old"), ("content-type", "x/old")], "body").await.expect(200);
    let illegal = copy(&world, SOURCE, SOURCE, &[]).await;
    assert_eq!(illegal.verdict(), (400, "InvalidRequest".to_owned()));
    let replace = [("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-b", "new"), ("content-type", "x/new")];
    copy(&world, SOURCE, SOURCE, &replace).await.expect(200);
    let got = world.get(SOURCE).await.expect(200);
    assert_eq!((got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), ("", "new"));
    assert_eq!((got.header("content-type"), got.text().as_str()), ("x/new", "body"));
    world.assert_identical(TEE, "source").await;
}

#[tokio::test]
async fn conditions_on_the_source_use_the_plain_etag() {
    let world = World::start().await;
    let etag = world.put(SOURCE, "body").await.expect(200).header("etag").to_owned();
    copy(&world, SOURCE, TARGET, &[("x-amz-copy-source-if-match", &etag)]).await.expect(200);
    let cases = [
        ("x-amz-copy-source-if-match", "\"00000000000000000000000000000000\""),
        ("x-amz-copy-source-if-none-match", etag.as_str()),
        ("x-amz-copy-source-if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    for header in cases {
        assert_eq!(copy(&world, SOURCE, "/tee-bucket/no", &[header]).await.verdict().0, 412, "{header:?}");
    }
    world.assert_nothing(TEE, "no").await;
}

#[tokio::test]
async fn sources_that_cannot_be_copied_are_refused() {
    let world = World::start().await;
    world.put(SOURCE, "body").await.expect(200);
    let cases: [(&str, &str); 4] = [
        ("/tee-bucket/absent", "NoSuchKey"),
        ("/no-such-bucket/key", "NoSuchBucket"),
        ("/strongroom-system/keyring", "AccessDenied"),
        ("/tee-bucket/source?versionId=abc", "NoSuchVersion"),
    ];
    for (source, code) in cases {
        assert_eq!(copy(&world, source, TARGET, &[]).await.element("Code"), code, "{source}");
    }
    let sse_c = [("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256")];
    assert_eq!(copy(&world, SOURCE, TARGET, &sse_c).await.element("Code"), "InvalidArgument");
    world.assert_nothing(STRICT, "target").await;
}

#[tokio::test]
async fn a_damaged_source_is_not_copied() {
    let world = World::start().await;
    let body = pattern(2_000_000);
    world.put(SOURCE, body).await.expect(200);
    for link in &world.sites {
        let (mut bytes, metadata) = link.sealed(TEE, "source").await.expect("stored");
        bytes[1_500_000] ^= 1;
        let (feed, chunks) = tokio::sync::mpsc::channel(1);
        feed.try_send(bytes.clone().into()).expect("room");
        let body = strongroom::site::PutBody { length: bytes.len() as u64, chunks };
        let always = strongroom::site::WriteCondition::Always;
        link.direct
            .put(&at(TEE, "source"), &strongroom::site::ObjectHeaders::of(metadata.as_deref()), &always, body)
            .await
            .expect("damaged");
    }
    let answer = copy(&world, SOURCE, TARGET, &[]).await;
    assert_eq!(answer.verdict(), (500, "InternalError".to_owned()), "{}", answer.text());
    world.assert_nothing(STRICT, "target").await;
}

#[tokio::test]
async fn deleting_is_idempotent_and_reaches_both_sites() {
    let world = World::start().await;
    world.put(SOURCE, "x").await.expect(200);
    for _ in 0..2 {
        world.ask("DELETE", Operation::DeleteObject, SOURCE, &[], "").await.expect(204);
        world.assert_nothing(TEE, "source").await;
    }
    let version = world.ask("DELETE", Operation::DeleteObject, "/tee-bucket/source?versionId=abc", &[], "").await;
    assert_eq!(version.element("Code"), "NoSuchVersion");
    let conditional = world.ask("DELETE", Operation::DeleteObject, SOURCE, &[("if-match", "*")], "").await;
    assert_eq!(conditional.element("Code"), "NoSuchKey");
    let nowhere = world.ask("DELETE", Operation::DeleteObject, "/no-such-bucket/key", &[], "").await;
    assert_eq!(nowhere.element("Code"), "NoSuchBucket");
}

#[tokio::test]
async fn a_conditional_delete_compares_the_plain_etag() {
    let world = World::start().await;
    let etag = world.put(SOURCE, "x").await.expect(200).header("etag").to_owned();
    let delete = async |etag: &str| {
        world.ask("DELETE", Operation::DeleteObject, SOURCE, &[("if-match", etag)], "").await.verdict().0
    };
    assert_eq!(delete("\"00000000000000000000000000000000\"").await, 412);
    world.get(SOURCE).await.expect(200);
    assert_eq!(delete(&etag).await, 204);
    world.assert_nothing(TEE, "source").await;
}

#[tokio::test]
async fn a_list_is_deleted_with_an_answer_for_each_key() {
    let world = World::start().await;
    for key in ["a", "b/c", "stay"] {
        world.put(&format!("/tee-bucket/{key}"), "x").await.expect(200);
    }
    let long = "k".repeat(1_025);
    let list = format!(
        "<Delete><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object><Object><Key>absent</Key></Object>\
         <Object><Key>{long}</Key></Object><Object><Key>stay</Key><VersionId>v</VersionId></Object>\
         <Object><Key>stay</Key><ETag>\"e\"</ETag></Object></Delete>"
    );
    let delete =
        async |body: String| world.ask("POST", Operation::DeleteObjects, "/tee-bucket?delete", &[], body).await;
    let answer = delete(list).await.expect(200);
    assert_eq!(answer.text().matches("<Deleted>").count(), 3, "{}", answer.text());
    assert_eq!(answer.text().matches("<Code>NoSuchVersion</Code>").count(), 1);
    assert_eq!(answer.text().matches("<Code>PreconditionFailed</Code>").count(), 1);
    assert_eq!(answer.text().matches("<Code>KeyTooLongError</Code>").count(), 1);
    world.assert_nothing(TEE, "a").await;
    world.assert_nothing(TEE, "b/c").await;
    world.get("/tee-bucket/stay").await.expect(200);

    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>stay</Key></Object></Delete>";
    let answer = delete(quiet.to_owned()).await.expect(200);
    assert!(!answer.text().contains("<Deleted>"));
    world.assert_nothing(TEE, "stay").await;
    let many = |count: usize| format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(count));
    delete(many(1_000)).await.expect(200);
    assert_eq!(delete(many(1_001)).await.element("Code"), "MalformedXML");
}
