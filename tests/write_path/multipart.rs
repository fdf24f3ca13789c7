//! Multipart uploads: parts in any order and of any size, staged ends, Complete and its lost answers.
use crate::wire::Mode;
use crate::world::{Answer, STRICT, SYSTEM, TEE, World, at, md5, pattern};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use strongroom::s3::Operation;
use strongroom::site::ListQuery;

const KEY: &str = "/tee-bucket/big";
const MIB: usize = 1024 * 1024;

/// An upload as a client holds it.
struct Upload<'a> {
    world: &'a World,
    target: &'a str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn create(world: &'a World, target: &'a str, headers: &[(&str, &str)]) -> Self {
        let answer =
            world.ask("POST", Operation::CreateMultipartUpload, &format!("{target}?uploads"), headers, "").await;
        let id = answer.expect(200).element("UploadId");
        assert!(id.len() >= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{id}");
        Self { world, target, id }
    }

    async fn part(&self, number: u32, body: impl Into<Bytes>) -> Answer {
        let target = format!("{}?partNumber={number}&uploadId={}", self.target, self.id);
        self.world.ask("PUT", Operation::UploadPart, &target, &[], body).await
    }

    async fn complete(&self, parts: &[(u32, &str)]) -> Answer {
        self.complete_with(parts, &[]).await
    }

    async fn complete_with(&self, parts: &[(u32, &str)], headers: &[(&str, &str)]) -> Answer {
        let parts: Vec<_> = parts.iter().map(|(number, etag)| (*number, *etag, String::new())).collect();
        self.complete_summed(&parts, headers).await
    }

    /// Each part with the element of its checksum.
    async fn complete_summed(&self, parts: &[(u32, &str, String)], headers: &[(&str, &str)]) -> Answer {
        let part = |(number, etag, sum): &(u32, &str, String)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag>{sum}</Part>")
        };
        let list: String = parts.iter().map(part).collect();
        let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let target = format!("{}?uploadId={}", self.target, self.id);
        self.world.ask("POST", Operation::CompleteMultipartUpload, &target, headers, body).await
    }

    async fn abort(&self) -> Answer {
        let target = format!("{}?uploadId={}", self.target, self.id);
        self.world.ask("DELETE", Operation::AbortMultipartUpload, &target, &[], "").await
    }

    async fn list(&self, more: &str) -> Answer {
        let target = format!("{}?uploadId={}{more}", self.target, self.id);
        self.world.ask("GET", Operation::ListParts, &target, &[], "").await
    }
}

/// `md5-of-md5s-N`.
fn etag_of(parts: &[&[u8]]) -> String {
    let all: Vec<u8> = parts.iter().flat_map(|part| hex::decode(md5(part)).expect("hex")).collect();
    format!("{}-{}", md5(&all), parts.len())
}

/// Keys in the staging area of both sites.
async fn staged(world: &World) -> usize {
    let mut found = 0;
    for link in &world.sites {
        let query = ListQuery {
            bucket: at(SYSTEM, "x").bucket,
            prefix: "staging/".to_owned(),
            delimiter: None,
            token: None,
            start_after: None,
            max_keys: 1000,
        };
        found += link.direct.list(&query).await.expect("a listing").objects.len();
    }
    found
}

#[tokio::test]
async fn parts_in_any_order_with_every_kind_of_end() {
    let world = World::start().await;
    // The last part: staged, exactly at the limit, above it, empty, the only one.
    let cases: [&[usize]; 6] =
        [&[6 * MIB, 5 * MIB, 1_000], &[5 * MIB, 5 * MIB], &[5 * MIB, 7 * MIB + 1], &[5 * MIB, 0], &[17], &[0]];
    for lengths in cases {
        let parts: Vec<Bytes> = lengths.iter().enumerate().map(|(n, length)| pattern(length + n).slice(n..)).collect();
        let upload = Upload::create(&world, KEY, &[("content-type", "x/y")]).await;
        let mut etags = vec![String::new(); parts.len()];
        for (n, part) in parts.iter().enumerate().rev() {
            etags[n] = upload.part(n as u32 * 3 + 1, part.clone()).await.expect(200).etag().to_owned();
            assert_eq!(etags[n], md5(part));
        }
        let named: Vec<_> = etags.iter().enumerate().map(|(n, etag)| (n as u32 * 3 + 1, etag.as_str())).collect();
        let answer = upload.complete(&named).await.expect(200);
        let expected = etag_of(&parts.iter().map(|part| &part[..]).collect::<Vec<_>>());
        assert_eq!(answer.element("ETag").trim_matches('"'), expected, "{lengths:?}");
        let got = world.get(KEY).await.expect(200);
        assert_eq!((got.etag(), got.header("content-type")), (expected.as_str(), "x/y"));
        assert!(got.body == parts.concat(), "{lengths:?}");
        world.assert_identical(TEE, "big").await;
        assert_eq!(staged(&world).await, 0, "{lengths:?}");
    }
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn a_part_sent_again_replaces_the_first_also_across_the_staging_limit() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    let (big, small) = (pattern(5 * MIB), pattern(100));
    upload.part(1, big.clone()).await.expect(200);
    for body in [&big, &small, &big, &small] {
        upload.part(2, body.clone()).await.expect(200);
    }
    assert_eq!(staged(&world).await, 2, "one staged part, at two sites");
    let (first, second) = (md5(&big), md5(&small));
    assert_eq!(upload.complete(&[(1, &first), (2, &first)]).await.element("Code"), "InvalidPart");
    upload.complete(&[(1, &first), (2, &second)]).await.expect(200);
    assert!(world.get(KEY).await.body == [big, small].concat());
    world.assert_identical(TEE, "big").await;
}

#[tokio::test]
async fn the_same_part_sent_twice_at_once_ends_the_same_everywhere() {
    let world = World::start().await;
    let bodies: Vec<Bytes> = (0..4).map(|n| pattern(5 * MIB + n).slice(n..)).collect();
    let upload = Upload::create(&world, KEY, &[]).await;
    let answers = futures_util::future::join_all(bodies.iter().map(|body| upload.part(1, body.clone()))).await;
    answers.into_iter().for_each(|answer| drop(answer.expect(200)));
    let listed = upload.list("").await.expect(200).element("ETag");
    let winner = bodies.iter().find(|body| md5(body) == listed.trim_matches('"')).expect("one of them");
    upload.complete(&[(1, &md5(winner))]).await.expect(200);
    assert!(world.get(KEY).await.body == *winner);
    world.assert_identical(TEE, "big").await;
}

#[tokio::test]
async fn a_complete_that_is_not_right_is_refused_and_can_be_corrected() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    let (big, small) = (pattern(5 * MIB), pattern(100));
    let (first, second) = (md5(&big), md5(&small));
    for (number, body) in [(1, &small), (2, &big), (3, &big), (4, &small)] {
        upload.part(number, body.clone()).await.expect(200);
    }
    let code = |answer: Answer| answer.element("Code");
    assert_eq!(code(upload.complete(&[]).await), "MalformedXML");
    assert_eq!(code(upload.complete(&[(3, &first), (2, &first)]).await), "InvalidPartOrder");
    assert_eq!(code(upload.complete(&[(2, &first), (2, &first)]).await), "InvalidPartOrder");
    assert_eq!(code(upload.complete(&[(2, &first), (9, &first)]).await), "InvalidPart");
    assert_eq!(code(upload.complete(&[(2, &second)]).await), "InvalidPart");
    assert_eq!(code(upload.complete(&[(1, &second), (2, &first)]).await), "EntityTooSmall");
    let sized = [("x-amz-mp-object-size", "7")];
    assert_eq!(code(upload.complete_with(&[(2, &first)], &sized).await), "InvalidRequest");
    world.assert_nothing(TEE, "big").await;
    upload.complete(&[(2, &first), (4, &second)]).await.expect(200);
    assert!(world.get(KEY).await.body == [big, small].concat());
    assert_eq!(staged(&world).await, 0, "also the parts that were left out");
}

#[tokio::test]
async fn a_refused_complete_has_not_damaged_any_part() {
    let world = World::start().await;
    world.put(KEY, "in the way").await.expect(200);
    let upload = Upload::create(&world, KEY, &[]).await;
    let bodies: Vec<Bytes> = (0..3).map(|n| pattern(5 * MIB + n).slice(n..)).collect();
    for (n, body) in bodies.iter().enumerate() {
        upload.part(n as u32 + 1, body.clone()).await.expect(200);
    }
    let etags: Vec<String> = bodies.iter().map(|body| md5(body)).collect();
    let parts: Vec<_> = etags.iter().enumerate().map(|(n, etag)| (n as u32 + 1, etag.as_str())).collect();
    let refused = upload.complete_with(&parts[..2], &[("if-none-match", "*")]).await;
    assert_eq!(refused.verdict(), (412, "PreconditionFailed".to_owned()));
    upload.complete(&parts).await.expect(200);
    assert!(world.get(KEY).await.body == bodies.concat());
    world.assert_identical(TEE, "big").await;
}

#[tokio::test]
async fn unknown_uploads_and_impossible_parts_are_refused() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    for number in [0, 10_000] {
        assert_eq!(upload.part(number, "x").await.element("Code"), "InvalidArgument", "{number}");
    }
    let elsewhere = Upload { world: &world, target: "/tee-bucket/other", id: upload.id.clone() };
    let never = Upload { world: &world, target: KEY, id: "never".to_owned() };
    for unknown in [&elsewhere, &never] {
        assert_eq!(unknown.part(1, "x").await.verdict(), (404, "NoSuchUpload".to_owned()));
        assert_eq!(unknown.complete(&[(1, "x")]).await.verdict(), (404, "NoSuchUpload".to_owned()));
        assert_eq!(unknown.abort().await.verdict(), (404, "NoSuchUpload".to_owned()));
        assert_eq!(unknown.list("").await.verdict(), (404, "NoSuchUpload".to_owned()));
    }
    upload.abort().await.expect(204);
    assert_eq!(upload.part(1, "x").await.verdict().1, "NoSuchUpload");
}

#[tokio::test]
async fn an_abort_leaves_nothing() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    upload.part(1, pattern(5 * MIB)).await.expect(200);
    upload.part(2, pattern(5)).await.expect(200);
    upload.abort().await.expect(204);
    assert_eq!(staged(&world).await, 0);
    world.assert_nothing(TEE, "big").await;
    let left = world.ask("GET", Operation::ListMultipartUploads, "/tee-bucket?uploads", &[], "").await.expect(200);
    assert!(!left.text().contains("<Upload>"));
}

#[tokio::test]
async fn a_complete_is_answered_again_but_only_to_who_asks_the_same() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    let etag = md5(b"only");
    upload.part(1, "only").await.expect(200);
    let first = upload.complete(&[(1, &etag)]).await.expect(200);
    let again = upload.complete(&[(1, &etag)]).await.expect(200);
    assert_eq!(first.element("ETag"), again.element("ETag"));
    let elsewhere = Upload { world: &world, target: "/tee-bucket/other", id: upload.id.clone() };
    assert_eq!(elsewhere.complete(&[(1, &etag)]).await.verdict().1, "NoSuchUpload");
}

#[tokio::test]
async fn a_complete_whose_answer_was_lost_can_be_asked_for_again() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    let body = pattern(5 * MIB);
    upload.part(1, body.clone()).await.expect(200);
    upload.part(2, "end").await.expect(200);
    let (first, second) = (md5(&body), md5(b"end"));
    world.primary().wire.set(Mode::LoseAnswerTo("POST "));
    let lost = upload.complete(&[(1, &first), (2, &second)]).await;
    assert_eq!(lost.verdict(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(world.misses().await.len(), 1, "the primary may have it, the backup does not");
    world.primary().wire.set(Mode::Pass);
    let other = upload.complete(&[(1, &first)]).await;
    assert_eq!(other.verdict().1, "NoSuchUpload", "that is not what was stored");
    let again = upload.complete(&[(1, &first), (2, &second)]).await.expect(200);
    assert_eq!(again.element("ETag").trim_matches('"'), etag_of(&[&body, b"end"]));
    world.level().await;
    world.assert_identical(TEE, "big").await;
    assert_eq!(staged(&world).await, 0);
}

#[tokio::test]
async fn a_backup_that_misses_a_part_is_left_out_and_catches_up() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    let body = pattern(5 * MIB);
    let etag = md5(&body);
    upload.part(1, body.clone()).await.expect(200);
    world.backup().wire.set(Mode::Dead);
    upload.part(2, body.clone()).await.expect(200);
    world.backup().wire.set(Mode::Pass);
    upload.part(3, "end").await.expect(200);
    let answer = upload.complete(&[(1, &etag), (2, &etag), (3, &md5(b"end"))]).await.expect(200);
    assert_eq!(answer.facts.sites_pending, ["backup"]);
    world.level().await;
    world.assert_identical(TEE, "big").await;
    assert!(world.get(KEY).await.body == [&body[..], &body[..], b"end"].concat());
}

#[tokio::test]
async fn strict_uploads_need_every_site() {
    let world = World::start().await;
    let upload = Upload::create(&world, "/strict-bucket/big", &[]).await;
    let body = pattern(5 * MIB);
    world.backup().wire.set(Mode::Dead);
    assert_eq!(upload.part(1, body.clone()).await.status, 503);
    world.backup().wire.set(Mode::Pass);
    upload.part(1, body.clone()).await.expect(200);
    upload.complete(&[(1, &md5(&body))]).await.expect(200);
    world.assert_identical(STRICT, "big").await;
    assert!(world.misses().await.is_empty());
}

#[tokio::test]
async fn checksums_of_parts_make_the_checksum_of_the_whole() {
    let world = World::start().await;
    let (body, end) = (pattern(5 * MIB), pattern(77));
    let whole = [&body[..], &end[..]].concat();
    let crc32 = |bytes: &[u8]| (crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes) as u32).to_be_bytes();
    let crc64 = |bytes: &[u8]| crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes).to_be_bytes();
    let composite = STANDARD.encode(crc32(&[crc32(&body), crc32(&end)].concat()));
    let cases = [
        ("CRC32", "COMPOSITE", "ChecksumCRC32", format!("{composite}-2")),
        ("CRC32", "FULL_OBJECT", "ChecksumCRC32", STANDARD.encode(crc32(&whole))),
        ("CRC64NVME", "FULL_OBJECT", "ChecksumCRC64NVME", STANDARD.encode(crc64(&whole))),
    ];
    for (algorithm, kind, element, expected) in cases {
        let headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)];
        let upload = Upload::create(&world, KEY, &headers).await;
        let mut sums = Vec::new();
        for (number, part) in [(1, &body), (2, &end)] {
            let answer = upload.part(number, part.clone()).await.expect(200);
            let sum = answer.header(&format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase())).to_owned();
            sums.push((number, md5(part), format!("<{element}>{sum}</{element}>")));
        }
        let parts: Vec<_> = sums.iter().map(|(number, etag, sum)| (*number, etag.as_str(), sum.clone())).collect();
        let header = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        let wrong = upload.complete_summed(&parts, &[(&header, "AAAAAA==")]).await;
        assert_eq!(wrong.element("Code"), "BadDigest");
        let other = if kind == "COMPOSITE" { "FULL_OBJECT" } else { "COMPOSITE" };
        let mixed = upload.complete_summed(&parts, &[("x-amz-checksum-type", other)]).await;
        assert_eq!(mixed.element("Code"), "InvalidRequest");
        let done = upload.complete_summed(&parts, &[(&header, &expected)]).await.expect(200);
        assert_eq!((done.element(element), done.element("ChecksumType")), (expected, kind.to_owned()));
    }
}

#[tokio::test]
async fn parts_and_uploads_are_listed_in_pages_with_plain_sizes() {
    let world = World::start().await;
    let upload = Upload::create(&world, KEY, &[]).await;
    for number in [7, 1, 3] {
        upload.part(number, pattern(number as usize)).await.expect(200);
    }
    let page = upload.list("&max-parts=2").await.expect(200);
    assert_eq!((page.element("IsTruncated"), page.element("NextPartNumberMarker")), ("true".into(), "3".into()));
    assert!(page.text().contains("<Size>1</Size>") && page.text().contains("<Size>3</Size>"));
    let rest = upload.list("&max-parts=2&part-number-marker=3").await.expect(200);
    assert_eq!((rest.element("PartNumber"), rest.element("Size")), ("7".to_owned(), "7".to_owned()));
    assert_eq!(rest.element("IsTruncated"), "false");

    for target in ["/tee-bucket/a/1", "/tee-bucket/a/2", "/tee-bucket/z"] {
        Upload::create(&world, target, &[]).await;
    }
    let list = async |query: &str| {
        let target = format!("/tee-bucket?uploads{query}");
        world.ask("GET", Operation::ListMultipartUploads, &target, &[], "").await.expect(200)
    };
    let grouped = list("&delimiter=/&max-uploads=2").await;
    assert!(grouped.text().contains("<Prefix>a/</Prefix>") && grouped.text().contains("<Key>big</Key>"));
    assert!(!grouped.text().contains("<Key>z</Key>") && grouped.element("IsTruncated") == "true");
    let marker = grouped.element("NextKeyMarker");
    let id = grouped.element("NextUploadIdMarker");
    let rest = list(&format!("&delimiter=/&key-marker={marker}&upload-id-marker={id}")).await;
    assert!(rest.text().contains("<Key>z</Key>") && !rest.text().contains("<Prefix>a/</Prefix>"));
    assert_eq!(list("&prefix=a/").await.text().matches("<Upload>").count(), 2);
}

#[tokio::test]
async fn parts_are_copied_from_other_objects() {
    let world = World::start().await;
    let source = pattern(6 * MIB);
    let etag = world.put("/tee-bucket/source", source.clone()).await.expect(200).etag().to_owned();
    let upload = Upload::create(&world, KEY, &[]).await;
    let copy = async |number: u32, headers: &[(&str, &str)]| {
        let target = format!("{KEY}?partNumber={number}&uploadId={}", upload.id);
        let mut headers = headers.to_vec();
        headers.push(("x-amz-copy-source", "/tee-bucket/source"));
        world.ask("PUT", Operation::UploadPartCopy, &target, &headers, "").await
    };
    let whole = copy(1, &[("x-amz-copy-source-if-match", &etag)]).await.expect(200).element("ETag");
    assert_eq!(whole.trim_matches('"'), md5(&source));
    let piece = copy(2, &[("x-amz-copy-source-range", "bytes=100-20099")]).await.expect(200).element("ETag");
    assert_eq!(piece.trim_matches('"'), md5(&source[100..20_100]));
    assert_eq!(copy(3, &[("x-amz-copy-source-range", "bytes=0-99999999")]).await.element("Code"), "InvalidRange");
    assert_eq!(copy(3, &[("x-amz-copy-source-if-none-match", &etag)]).await.status, 412);
    upload.complete(&[(1, whole.trim_matches('"')), (2, piece.trim_matches('"'))]).await.expect(200);
    assert!(world.get(KEY).await.body == [&source[..], &source[100..20_100]].concat());
    world.assert_identical(TEE, "big").await;
}
