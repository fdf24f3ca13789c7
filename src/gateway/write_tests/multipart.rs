//! Multipart uploads, part by part.
use super::client::{MIB5, error, multipart_etag};
use crate::gateway::testbed::{BUCKET, Testbed, at, pattern};
use crate::s3::{ObjectKey, Operation};
use crate::site::Location;

/// As [`pattern`], other bytes for every part.
fn part(number: u8, length: usize) -> Vec<u8> {
    pattern(length).iter().map(|byte| byte ^ number.wrapping_mul(37)).collect()
}

#[tokio::test]
async fn parts_come_in_any_order_with_gaps_between_their_numbers() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let (first, middle, last) = (part(1, MIB5), part(2, MIB5 + 12_345), part(3, 77_777));
    let e9000 = upload.part(9_000, &last).await;
    let e3 = upload.part(3, &first).await;
    let e500 = upload.part(500, &middle).await;
    bed.assert_nowhere("object").await;
    let done = upload.complete(&[(3, &e3), (500, &e500), (9_000, &e9000)]).await.expect(200);
    assert_eq!(done.element("ETag"), multipart_etag(&[&first, &middle, &last]));
    assert_eq!(done.element("Key"), "object");
    for (number, body) in [(3, &first), (500, &middle), (9_000, &last)] {
        let answer = bed.get(&format!("/object?partNumber={number}"), &[]).await.expect(206);
        assert!(answer.body == *body && answer.header("x-amz-mp-parts-count") == "3", "{number}");
    }
    assert_eq!(bed.head("/object?partNumber=2", &[]).await.status, 416, "no part was sent under that number");
    let whole = [first, middle, last].concat();
    assert!(bed.fetch("object").await == whole);
    bed.assert_same_everywhere("object", &whole).await;
    bed.assert_nothing_staged().await;
    let head = bed.head("/object", &[]).await;
    assert_eq!(head.header("etag"), done.element("ETag"));
    assert_eq!(bed.misses().await, 0);
}

#[tokio::test]
async fn every_shape_of_upload_comes_back_as_it_was_sent() {
    let bed = Testbed::start().await;
    let shapes: [&[usize]; 9] = [
        &[0],
        &[1],
        &[MIB5 - 1],
        &[MIB5],
        &[MIB5 + 1],
        &[MIB5, 0],
        &[MIB5, MIB5],
        &[MIB5 + 17, MIB5, MIB5 - 1],
        &[MIB5, 2 * MIB5 + 1, 16_384],
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        let key = format!("object-{index}");
        let upload = bed.create(&key, &[]).await;
        let parts: Vec<Vec<u8>> = shape.iter().enumerate().map(|(i, length)| part(i as u8, *length)).collect();
        let mut etags = Vec::new();
        for (number, body) in (1..).zip(&parts) {
            etags.push((number, upload.part(number, body).await));
        }
        let asked: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
        let done = upload.complete(&asked).await.expect(200);
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        assert_eq!(done.element("ETag"), multipart_etag(&slices), "{shape:?}");
        let whole = parts.concat();
        assert!(bed.fetch(&key).await == whole, "{shape:?}");
        bed.assert_same_everywhere(&key, &whole).await;
    }
    bed.assert_nothing_staged().await;
}

#[tokio::test]
async fn the_last_upload_of_a_part_counts_whatever_its_size() {
    let bed = Testbed::start().await;
    let (big, small) = (part(1, MIB5), part(2, 1000));
    for (key, sent) in [
        ("small-then-big", [&small, &big]),
        ("big-then-small", [&big, &small]),
        ("twice-small", [&big[..10].to_vec(), &small]),
        ("twice-big", [&part(9, MIB5), &big]),
    ] {
        let upload = bed.create(key, &[]).await;
        let old = upload.part(1, sent[0]).await;
        let new = upload.part(1, sent[1]).await;
        assert_eq!(upload.complete(&[(1, &old)]).await.outcome(), error(400, "InvalidPart"), "{key}");
        upload.complete(&[(1, &new)]).await.expect(200);
        assert!(bed.fetch(key).await == *sent[1], "{key}");
        bed.assert_same_everywhere(key, sent[1]).await;
    }
    bed.assert_nothing_staged().await;
}

#[tokio::test]
async fn sending_a_part_again_never_repeats_a_salt() {
    let bed = Testbed::start().await;
    let body = part(1, 1000);
    let mut seen = std::collections::HashSet::new();
    let upload = bed.create("object", &[]).await;
    for _ in 0..5 {
        upload.part(1, &body).await;
        let staged = bed.staged_at(bed.primary()).await;
        assert_eq!(staged.len(), 1, "the replaced part is removed");
        let place = Location {
            bucket: bed.gateway.authorizer.system_bucket().clone(),
            key: ObjectKey::parse(&staged[0]).expect("a key"),
        };
        let (bytes, _) = bed.primary().get_small(&place).await.expect("the staged part");
        assert!(seen.insert(bytes[..24].to_vec()), "a salt was used twice");
    }
}

#[tokio::test]
async fn parts_that_were_not_asked_for_are_dropped_with_the_upload() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let wanted = part(1, MIB5);
    let etag = upload.part(1, &wanted).await;
    upload.part(2, &part(2, MIB5)).await;
    upload.part(7, &part(7, 100)).await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    assert!(bed.fetch("object").await == wanted);
    bed.assert_same_everywhere("object", &wanted).await;
    bed.assert_nothing_staged().await;
}

#[tokio::test]
async fn complete_says_what_is_wrong_with_a_list_and_the_upload_goes_on() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let (small, big) = (part(1, 100), part(2, MIB5));
    let (e1, e2, e3) = (upload.part(1, &small).await, upload.part(2, &big).await, upload.part(3, &big).await);
    let other = "\"00000000000000000000000000000000\"";
    type Row<'a> = (&'a [(i32, &'a str)], (u16, String));
    let wrong: [Row<'_>; 8] = [
        (&[], error(400, "MalformedXML")),
        (&[(3, &e3), (2, &e2)], error(400, "InvalidPartOrder")),
        (&[(2, &e2), (2, &e2)], error(400, "InvalidPartOrder")),
        (&[(2, &e2), (4, &e3)], error(400, "InvalidPart")),
        (&[(2, other)], error(400, "InvalidPart")),
        (&[(10_000, &e2)], error(400, "InvalidPart")),
        (&[(0, &e2)], error(400, "InvalidPart")),
        (&[(1, &e1), (2, &e2)], error(400, "EntityTooSmall")),
    ];
    for (list, expected) in wrong {
        assert_eq!(upload.complete(list).await.outcome(), expected, "{list:?}");
    }
    let size = [("x-amz-mp-object-size", "12")];
    assert_eq!(upload.complete_with(&[(2, &e2)], &size).await.outcome(), error(400, "InvalidRequest"));
    bed.assert_nowhere("object").await;
    let size = (2 * MIB5).to_string();
    let unquoted = e3.trim_matches('"');
    upload.complete_with(&[(2, &e2), (3, unquoted)], &[("x-amz-mp-object-size", &size)]).await.expect(200);
    assert!(bed.fetch("object").await == [big.clone(), big].concat());
}

#[tokio::test]
async fn a_complete_that_failed_at_the_backend_can_be_repeated_with_more_parts() {
    let bed = Testbed::start().await;
    bed.upload_object("object", b"in the way", &[]).await.expect(200);
    let upload = bed.create("object", &[]).await;
    let parts = [part(1, MIB5), part(2, MIB5)];
    let (e1, e2) = (upload.part(1, &parts[0]).await, upload.part(2, &parts[1]).await);
    let refused = upload.complete_with(&[(1, &e1)], &[("if-none-match", "*")]).await;
    assert_eq!(refused.outcome(), error(412, "PreconditionFailed"));
    assert_eq!(bed.fetch("object").await, b"in the way");
    upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    assert!(bed.fetch("object").await == parts.concat());
    bed.assert_same_everywhere("object", &parts.concat()).await;
}

#[tokio::test]
async fn if_none_match_and_if_match_hold_for_complete() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, b"first").await;
    let done = upload.complete_with(&[(1, &etag)], &[("if-none-match", "*")]).await.expect(200);
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, b"second").await;
    let wrong = [("if-match", "\"00000000000000000000000000000000-1\"")];
    assert_eq!(upload.complete_with(&[(1, &etag)], &wrong).await.outcome(), error(412, "PreconditionFailed"));
    assert_eq!(bed.fetch("object").await, b"first");
    let current = done.element("ETag");
    upload.complete_with(&[(1, &etag)], &[("if-match", &current)]).await.expect(200);
    assert_eq!(bed.fetch("object").await, b"second");
    bed.assert_same_everywhere("object", b"second").await;
}

#[tokio::test]
async fn a_complete_asked_again_is_answered_again() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let (e1, e2) = (upload.part(1, &part(1, MIB5)).await, upload.part(2, b"end").await);
    let first = upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    let again = upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    assert_eq!(again.text(), first.text());
    let other = upload.complete(&[(1, &e1)]).await;
    assert_eq!(other.outcome(), error(404, "NoSuchUpload"), "another list");
}

#[tokio::test]
async fn a_complete_whose_answer_was_lost_is_recognised_by_the_object_itself() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, &part(1, MIB5)).await;
    let row = bed.gateway.state.upload(&upload.id).await.expect("a state").expect("an upload");
    let parts = bed.gateway.state.parts(&upload.id, 0, 10).await.expect("a state");
    let first = upload.complete(&[(1, &etag)]).await.expect(200);
    // As after a crash between the sites' Complete and the state's: the row is still there, memory is not.
    bed.gateway.state.create_upload(&row).await.expect("recorded");
    bed.gateway.state.put_part(&upload.id, &parts[0]).await.expect("recorded");
    bed.gateway.uploads.forget_answers();
    let again = upload.complete(&[(1, &etag)]).await.expect(200);
    assert_eq!(again.element("ETag"), first.element("ETag"));
    assert_eq!(bed.misses().await, 0, "the backup holds it too");
    assert!(bed.gateway.state.upload(&upload.id).await.expect("a state").is_none());
    // Another object under that key is not it.
    bed.gateway.state.create_upload(&row).await.expect("recorded");
    bed.gateway.state.put_part(&upload.id, &parts[0]).await.expect("recorded");
    bed.gateway.uploads.forget_answers();
    bed.upload_object("object", b"another", &[]).await.expect(200);
    assert_eq!(upload.complete(&[(1, &etag)]).await.outcome(), error(404, "NoSuchUpload"));
    assert_eq!(bed.fetch("object").await, b"another");
}

#[tokio::test]
async fn abort_leaves_nothing_anywhere() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, &part(1, MIB5)).await;
    upload.part(2, b"small").await;
    let at_sites = upload.at_sites().await;
    assert_eq!(at_sites.len(), 2);
    upload.abort().await.expect(204);
    bed.assert_nothing_staged().await;
    bed.assert_nowhere("object").await;
    for (site, id) in at_sites {
        let site = bed.gateway.sites.all().find(|one| *one.name().0 == *site).expect("a site");
        let gone = site.abort_multipart(&at("object"), &id).await;
        assert!(gone.is_err_and(|error| error.is_not_found()), "{} still knows the upload", site.name());
    }
    for answer in [
        upload.abort().await,
        upload.complete(&[(1, &etag)]).await,
        upload.try_part(3, b"late", &[]).await,
        upload.list("").await,
    ] {
        assert_eq!(answer.outcome(), error(404, "NoSuchUpload"));
    }
    bed.assert_nothing_staged().await;
}

#[tokio::test]
async fn an_upload_belongs_to_one_object() {
    let bed = Testbed::start().await;
    let mut upload = bed.create("object", &[]).await;
    let etag = upload.part(1, b"body").await;
    upload.key = "another".to_owned();
    for answer in [
        upload.try_part(2, b"x", &[]).await,
        upload.complete(&[(1, &etag)]).await,
        upload.abort().await,
        upload.list("").await,
    ] {
        assert_eq!(answer.outcome(), error(404, "NoSuchUpload"));
    }
}

#[tokio::test]
async fn part_numbers_end_at_9999_and_lengths_are_required() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    for number in [0, -1, 10_000, 70_000] {
        let answer = upload.try_part(number, b"x", &[]).await;
        assert_eq!(answer.outcome(), error(400, "InvalidArgument"), "{number}");
    }
    upload.part(9_999, b"x").await;
    let target = format!("/{BUCKET}/object?partNumber=1&uploadId={}", upload.id);
    let huge = [("content-length", "5368709121")];
    let answer = bed.send("PUT", Operation::UploadPart, &target, &huge, s3s::Body::empty()).await;
    assert_eq!(answer.outcome(), error(400, "EntityTooLarge"));
}

#[tokio::test]
async fn a_part_that_is_not_what_was_declared_is_not_kept() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let good = upload.part(1, b"good").await;
    for length in [1000, MIB5 + 1] {
        for header in [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")] {
            let answer = upload.try_part(1, &part(1, length), &[header]).await;
            assert_eq!(answer.outcome(), error(400, "BadDigest"), "{header:?}");
        }
    }
    assert_eq!(bed.staged_at(bed.primary()).await.len(), 1, "only the good one");
    upload.complete(&[(1, &good)]).await.expect(200);
    assert_eq!(bed.fetch("object").await, b"good");
}

#[tokio::test]
async fn metadata_given_at_the_start_belongs_to_the_object() {
    let bed = Testbed::start().await;
    let headers = [("content-type", "text/plain"), ("content-language", "la"), ("x-amz-meta-who", "Ada")];
    let upload = bed.create("object", &headers).await;
    let (e1, e2) = (upload.part(1, &part(1, MIB5)).await, upload.part(2, b"end").await);
    upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    let head = bed.head("/object", &[]).await.expect(200);
    for (name, value) in headers {
        assert_eq!(head.header(name), value, "{name}");
    }
    assert_eq!(head.header("x-strongroom-metadata"), "");
}

#[tokio::test]
async fn ranges_and_parts_of_the_object_can_be_read() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let (first, second) = (part(1, MIB5), part(2, 50_000));
    let (e1, e2) = (upload.part(4, &first).await, upload.part(9, &second).await);
    upload.complete(&[(4, &e1), (9, &e2)]).await.expect(200);
    let whole = [first, second.clone()].concat();
    let range = format!("bytes={}-{}", MIB5 - 10, MIB5 + 9);
    let got = bed.get("/object", &[("range", &range)]).await.expect(206);
    assert_eq!(got.body, whole[MIB5 - 10..MIB5 + 10]);
    let got = bed.get("/object?partNumber=9", &[]).await.expect(206);
    assert!(got.body == second);
}

#[tokio::test]
async fn racing_uploads_of_one_part_end_alike_at_both_sites() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let bodies: Vec<Vec<u8>> = (0..6).map(|number| part(number, MIB5 + usize::from(number))).collect();
    futures_util::future::join_all(bodies.iter().map(|body| upload.part(1, body))).await;
    let listed = upload.list("").await.expect(200);
    let etag = listed.element("ETag");
    upload.complete(&[(1, &etag)]).await.expect(200);
    let stored = bed.fetch("object").await;
    assert!(bodies.contains(&stored));
    bed.assert_same_everywhere("object", &stored).await;
    assert_eq!(bed.misses().await, 0);
}
