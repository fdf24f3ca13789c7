//! CopyObject from 5 MiB on: the sites copy the sealed body by themselves.
use super::client::{MIB5, error, multipart_etag};
use crate::gateway::testbed::{BUCKET, Sealed, Testbed, at, pattern};
use crate::s3::{BucketName, Operation};
use md5::{Digest, Md5};
use std::time::Duration;

const META: [(&str, &str); 2] = [("content-type", "text/plain"), ("x-amz-meta-who", "Ada")];
/// No more goes through the proxy: footers, and what little is asked about them.
const FOOTERS: u64 = 64 * 1024;

/// Sealed body of a one-part object of so many plain bytes.
fn body_len(plain: usize) -> usize {
    crate::seal::message_len(crate::s3::PlainLen(plain as u64)).0 as usize
}

impl Testbed {
    /// Copies, and checks that no body went through the proxy and that nothing is left to be levelled.
    async fn copy_in_place(&self, from: &str, to: &str, headers: &[(&str, &str)]) -> crate::gateway::testbed::Answer {
        self.requests.take_bytes();
        let answer = self.copy(from, to, headers).await.expect(200);
        let moved = self.requests.take_bytes();
        assert!(moved < FOOTERS, "{moved} bytes went through the proxy");
        assert_eq!(self.misses().await, 0);
        answer
    }
}

#[tokio::test]
async fn a_large_copy_takes_the_sealed_body_and_a_footer_of_its_own() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5 + 100_000);
    bed.upload_object("from", &body, &META).await.expect(200);
    let copied = bed.copy_in_place("from", "to", &[]).await;
    assert_eq!(copied.element("ETag"), format!("\"{}\"", hex::encode(Md5::digest(&body))));
    assert_eq!(copied.facts.also.len(), 1, "the read of the source is in the access log");
    assert_eq!(copied.facts.sites_written, ["primary", "backup"]);
    assert_eq!((copied.facts.object_size, copied.facts.bytes_plain), (Some(body.len() as u64), 0));
    assert!(copied.facts.bytes_sealed < FOOTERS);
    assert!(bed.fetch("to").await == body);
    let ranged = bed.get("/to", &[("range", "bytes=5200000-5300000")]).await.expect(206);
    assert!(ranged.body == body[5_200_000..=5_300_000]);
    bed.assert_same_everywhere("to", &body).await;
    let head = bed.head("/to", &[]).await;
    for (name, value) in META {
        assert_eq!(head.header(name), value, "{name}");
    }
    let from = bed.sealed_at(bed.primary(), "from").await.expect("stored");
    let to = bed.sealed_at(bed.primary(), "to").await.expect("stored");
    let end = body_len(body.len());
    assert!(from[..end] == to[..end] && from[end..] != to[end..]);
    let listed = bed.ask("GET", Operation::ListObjectsV2, "?list-type=2&prefix=to", &[]).await;
    assert_eq!(listed.element("ETag"), copied.element("ETag"));
}

#[tokio::test]
async fn the_copy_and_its_source_open_only_under_their_own_names() {
    let bed = Testbed::start().await;
    bed.upload_object("from", &pattern(MIB5), &[]).await.expect(200);
    bed.copy_in_place("from", "to", &[]).await;
    let bytes = async |key: &str| bed.sealed_at(bed.primary(), key).await.expect("stored");
    let (from, to) = (bytes("from").await, bytes("to").await);
    for (place, foreign, own) in [("to", &from, Some(&to)), ("from", &to, Some(&from)), ("elsewhere", &to, None)] {
        let store =
            async |bytes: &Vec<u8>| bed.store_all(place, &Sealed { bytes: bytes.clone(), metadata: None }).await;
        store(foreign).await;
        assert_eq!(bed.get(&format!("/{place}"), &[]).await.status, 500, "a foreign object is served as {place}");
        if let Some(own) = own {
            store(own).await;
            bed.get(&format!("/{place}"), &[]).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_multipart_object_keeps_its_parts_and_its_etag() {
    let bed = Testbed::start().await;
    let headers = [("x-amz-checksum-algorithm", "CRC32"), ("content-type", "text/plain")];
    let upload = bed.create("from", &headers).await;
    let parts = [pattern(MIB5 + 17), pattern(MIB5), pattern(1000)];
    let mut etags = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        etags.push((number, upload.part(number, part).await));
    }
    let list: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    let done = upload.complete_with_sums(&list, &[]).await.expect(200);
    let copied = bed.copy_in_place("from", "to", &[]).await;
    let [first, second, third] = &parts;
    assert_eq!(copied.element("ETag"), multipart_etag(&[first, second, third]));
    assert_eq!(copied.element("ChecksumCRC32"), done.element("ChecksumCRC32"));
    assert!(bed.fetch("to").await == parts.concat());
    bed.assert_same_everywhere("to", &parts.concat()).await;
    let part = bed.get("/to?partNumber=2", &[]).await.expect(206);
    assert!(part.body == *second && part.header("x-amz-mp-parts-count") == "3");
    // And on: a copy of a copy.
    bed.copy_in_place("to", "again", &[]).await;
    assert!(bed.fetch("again").await == parts.concat());
}

#[tokio::test]
async fn a_checksum_that_the_source_lacks_is_computed_from_its_bytes() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    bed.upload_object("from", &body, &[("x-amz-checksum-algorithm", "CRC32")]).await.expect(200);
    let asked = [("x-amz-checksum-algorithm", "SHA256")];
    let copied = bed.copy("from", "to", &asked).await.expect(200);
    assert!(!copied.element("ChecksumSHA256").is_empty());
    assert!(bed.requests.take_bytes() > MIB5 as u64);
    bed.copy_in_place("to", "again", &asked).await;
    let head = bed.head("/again", &[("x-amz-checksum-mode", "ENABLED")]).await;
    assert_eq!(head.header("x-amz-checksum-sha256"), copied.element("ChecksumSHA256"));
}

#[tokio::test]
async fn a_large_object_is_copied_onto_itself() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5 + 1);
    bed.upload_object("object", &body, &META).await.expect(200);
    for (value, other) in [("first", "x-amz-meta-a"), ("second", "x-amz-meta-b")] {
        let headers = [("x-amz-metadata-directive", "REPLACE"), ("content-type", value), (other, value)];
        bed.copy_in_place("object", "object", &headers).await;
        let head = bed.head("/object", &[]).await;
        assert_eq!(
            (head.header("content-type"), head.header(other), head.header("x-amz-meta-who")),
            (value, value, "")
        );
        assert!(bed.fetch("object").await == body);
        bed.assert_same_everywhere("object", &body).await;
    }
}

#[tokio::test]
async fn a_large_object_is_copied_into_another_bucket() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    let other = BucketName::parse("other-bucket").expect("a name");
    for site in bed.gateway.sites.all() {
        site.create_bucket(&other, None).await.expect("a bucket");
    }
    bed.upload_object("from", &body, &META).await.expect(200);
    bed.requests.take_bytes();
    let source = format!("{BUCKET}/from");
    let copied = bed.call("PUT", Operation::CopyObject, "/other-bucket/to", &[("x-amz-copy-source", &source)]).await;
    copied.expect(200);
    assert!(bed.requests.take_bytes() < FOOTERS);
    let got = bed.call("GET", Operation::GetObject, "/other-bucket/to", &[]).await.expect(200);
    assert!(got.body == body && got.header("x-amz-meta-who") == "Ada");
}

#[tokio::test]
async fn conditions_hold_for_large_copies() {
    let bed = Testbed::start().await;
    let etag = bed.upload_object("from", &pattern(MIB5), &[]).await.expect(200).header("etag").to_owned();
    let other = "\"00000000000000000000000000000000\"";
    assert_eq!(bed.copy("from", "to", &[("x-amz-copy-source-if-match", other)]).await.status, 412);
    bed.copy_in_place("from", "to", &[("if-none-match", "*"), ("x-amz-copy-source-if-match", &etag)]).await;
    let again = bed.copy("from", "to", &[("if-none-match", "*")]).await;
    assert_eq!(again.outcome(), error(412, "PreconditionFailed"));
    bed.copy_in_place("from", "to", &[("if-match", &etag)]).await;
    assert_eq!(bed.copy("from", "to", &[("if-match", other)]).await.status, 412);
    assert_eq!(bed.misses().await, 0);
    bed.assert_same_everywhere("to", &pattern(MIB5)).await;
    let source = format!("{BUCKET}/from");
    let nowhere = bed.call("PUT", Operation::CopyObject, "/no-such-bucket/to", &[("x-amz-copy-source", &source)]).await;
    assert_eq!(nowhere.outcome(), error(404, "NoSuchBucket"));
}

#[tokio::test]
async fn a_backup_that_holds_another_version_is_a_recorded_miss() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    bed.upload_object("from", &body, &[]).await.expect(200);
    let other = bed.seal("from", &[&body], false, &Default::default());
    bed.store(bed.backup(), "from", &other).await;
    let copied = bed.copy("from", "to", &[]).await.expect(200);
    assert_eq!(
        (copied.facts.sites_written, copied.facts.sites_pending),
        (vec!["primary".into()], vec!["backup".into()])
    );
    assert!(bed.fetch("to").await == body);
    let place = at("to");
    assert!(bed.gateway.state.is_behind(&place.bucket, &place.key).await.expect("a state"));
    assert!(bed.sealed_at(bed.backup(), "to").await.is_none());
}

#[tokio::test]
async fn a_backup_that_knows_the_same_bytes_by_another_etag_copies_them() {
    let bed = Testbed::start().await;
    let upload = bed.create("from", &[]).await;
    let (first, second) = (pattern(MIB5), pattern(MIB5 + 5));
    let (e1, e2) = (upload.part(1, &first).await, upload.part(2, &second).await);
    upload.complete(&[(1, &e1), (2, &e2)]).await.expect(200);
    // As a levelled site may hold it: put in one piece.
    let bytes = bed.sealed_at(bed.backup(), "from").await.expect("stored");
    bed.store(bed.backup(), "from", &Sealed { bytes, metadata: None }).await;
    let etag = async |site: &crate::site::Site| site.head(&at("from")).await.expect("there").0;
    assert_ne!(etag(bed.primary()).await, etag(bed.backup()).await);
    bed.copy_in_place("from", "to", &[]).await;
    bed.assert_same_everywhere("to", &[first, second].concat()).await;
}

#[tokio::test]
async fn a_large_copy_goes_on_without_the_backup_and_not_without_the_primary() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    bed.upload_object("from", &body, &[]).await.expect(200);
    bed.stop_backup().await;
    bed.copy("from", "to", &[]).await.expect(200);
    assert_eq!(bed.misses().await, 1);
    assert!(bed.fetch("to").await == body);
    bed.stop_primary().await;
    assert_eq!(bed.copy("from", "never", &[]).await.outcome(), error(503, "ServiceUnavailable"));
}

#[tokio::test]
async fn damage_is_copied_at_its_site_only_and_noticed_by_whoever_reads() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    bed.upload_object("from", &body, &[]).await.expect(200);
    let good = bed.sealed_at(bed.primary(), "from").await.expect("stored");
    let mut bytes = good.clone();
    bytes[100_000] ^= 1;
    // As damage on a disk does, it leaves the trailer as it is.
    let damaged = Sealed { bytes, metadata: None };
    bed.store(bed.primary(), "from", &damaged).await;
    bed.copy_in_place("from", "to", &[]).await;
    let got = bed.get("/to", &[]).await.expect(200);
    assert!(got.body == body && got.header("x-strongroom-served-by") == "backup");
    bed.store(bed.backup(), "from", &damaged).await;
    bed.copy_in_place("from", "lost", &[]).await;
    let got = bed.get("/lost", &[]).await;
    assert!(got.status == 500 || got.broken);
}

#[tokio::test]
async fn a_large_copy_runs_to_its_end_without_the_client() {
    let bed = Testbed::start().await;
    let body = pattern(MIB5);
    bed.upload_object("from", &body, &[]).await.expect(200);
    let begun = async {
        while !bed.requests.take().iter().any(|(_, operation)| *operation == "create_multipart") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = bed.copy("from", "to", &[]) => {}
        () = begun => {}
    }
    for _ in 0..500 {
        if bed.head("/to", &[]).await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(bed.fetch("to").await == body);
    // The backup may be a little behind the primary.
    drop(bed.gateway.tee.lock(&at("to")).await);
    bed.assert_same_everywhere("to", &body).await;
}

#[tokio::test]
async fn less_than_five_mebibytes_are_sealed_anew() {
    let bed = Testbed::start().await;
    // The sealed body of one byte more is 5 MiB long.
    let largest = (0..).find(|less| body_len(MIB5 - less) < MIB5).map_or(0, |less| MIB5 - less);
    for (length, reused) in [(largest, false), (largest + 1, true)] {
        let body = pattern(length);
        bed.upload_object("from", &body, &[]).await.expect(200);
        bed.copy("from", "to", &[]).await.expect(200);
        let start = async |key: &str| bed.sealed_at(bed.primary(), key).await.expect("stored")[..24].to_vec();
        assert_eq!(start("from").await == start("to").await, reused, "{length}");
        bed.assert_same_everywhere("to", &body).await;
    }
}
