//! Objects with a key of the client's own (SSE-C): written, read, copied and uploaded in parts.
use super::client::{MIB5, Upload, error, multipart_etag};
use crate::gateway::testbed::{Answer, BUCKET, Testbed, at, pattern};
use crate::s3::Operation;
use crate::site::SealedRange;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

const PREFIX: &str = "x-amz-server-side-encryption-customer-";
const SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-";

/// The three headers of one key.
struct Key(Vec<(String, String)>);

impl Key {
    fn named(prefix: &str, byte: u8) -> Self {
        let key = [byte; 32];
        let values = ["AES256".to_owned(), STANDARD.encode(key), STANDARD.encode(Md5::digest(key))];
        let names = ["algorithm", "key", "key-md5"].map(|name| format!("{prefix}{name}"));
        Self(names.into_iter().zip(values).collect())
    }

    fn of(byte: u8) -> Self {
        Self::named(PREFIX, byte)
    }

    fn source(byte: u8) -> Self {
        Self::named(SOURCE, byte)
    }

    fn md5(&self) -> &str {
        &self.0[2].1
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn and<'a>(&'a self, other: &'a Self) -> Vec<(&'a str, &'a str)> {
        [self.headers(), other.headers()].concat()
    }
}

fn assert_told(answer: &Answer, key: &Key) {
    assert_eq!(answer.header(&format!("{PREFIX}algorithm")), "AES256");
    assert_eq!(answer.header(&format!("{PREFIX}key-md5")), key.md5());
    assert_eq!(answer.header("x-amz-server-side-encryption"), "", "it is the client's key, not ours alone");
}

/// Nothing of the object is told to who has not its key.
async fn assert_closed(bed: &Testbed, key: &str, byte: u8) {
    let other = Key::of(byte ^ 1);
    let range = ("range", "bytes=0-9");
    for (headers, status, code) in [
        (vec![], 400, "InvalidRequest"),
        (vec![range], 400, "InvalidRequest"),
        (other.headers(), 403, "AccessDenied"),
        ([other.headers(), vec![range]].concat(), 403, "AccessDenied"),
    ] {
        assert_eq!(bed.get(&format!("/{key}"), &headers).await.outcome(), error(status, code));
        let head = bed.head(&format!("/{key}"), &headers).await;
        assert_eq!((head.status, head.header("etag")), (status, ""));
        let wanted = [headers, vec![("x-amz-object-attributes", "ETag")]].concat();
        let told = bed.ask("GET", Operation::GetObjectAttributes, &format!("/{key}?attributes"), &wanted).await;
        assert_eq!(told.outcome(), error(status, code));
    }
}

#[tokio::test]
async fn what_is_put_with_a_key_is_read_with_it_and_with_no_other() {
    let bed = Testbed::start().await;
    let key = Key::of(7);
    for size in [0, 1, 16_384, 100_000, 400_000] {
        let body = pattern(size);
        let put = bed.upload_object("object", &body, &key.headers()).await.expect(200);
        assert_told(&put, &key);
        assert_eq!(put.header("etag"), format!("\"{}\"", hex::encode(Md5::digest(&body))));
        // Fetched whole, from the cache, and without it.
        for _ in 0..3 {
            let got = bed.get("/object", &key.headers()).await.expect(200);
            assert_told(&got, &key);
            assert!(got.body == body, "{size} bytes");
            assert_closed(&bed, "object", 7).await;
        }
        let head = bed.head("/object", &key.headers()).await.expect(200);
        assert_told(&head, &key);
        assert_eq!(head.header("content-length"), size.to_string());
        if size > 100 {
            let ranged = [key.headers(), vec![("range", "bytes=10-99")]].concat();
            assert!(bed.get("/object", &ranged).await.expect(206).body == body[10..100]);
        }
        bed.assert_same_everywhere("object", &body).await;
    }
    let listed = bed.ask("GET", Operation::ListObjectsV2, "?list-type=2", &[]).await.expect(200);
    assert_eq!(listed.element("Size"), "400000", "a listing needs no key");
}

#[tokio::test]
async fn a_key_for_what_has_none_is_refused() {
    let bed = Testbed::start().await;
    bed.put("object", &pattern(100)).await;
    let key = Key::of(7);
    assert_eq!(bed.get("/object", &key.headers()).await.outcome(), error(400, "InvalidRequest"));
    assert_eq!(bed.head("/object", &key.headers()).await.status, 400);
    for other in ["AES256", "aws:kms"] {
        let headers = [key.headers(), vec![("x-amz-server-side-encryption", other)]].concat();
        let put = bed.upload_object("other", b"body", &headers).await;
        assert_eq!(put.outcome(), error(400, "InvalidArgument"), "{other}");
    }
    bed.assert_nowhere("other").await;
}

#[tokio::test]
async fn no_site_is_told_of_the_key() {
    let bed = Testbed::start().await;
    let key = Key::of(7);
    bed.upload_object("object", &pattern(100), &key.headers()).await.expect(200);
    for site in bed.gateway.sites.all() {
        let got = site.get(&at("object"), SealedRange::Last(1), None).await.expect("stored");
        let headers = format!("{:?} {:?}", got.headers, got.told);
        for secret in [STANDARD.encode([7; 32]), key.md5().to_owned(), "customer".to_owned()] {
            assert!(!headers.contains(&secret), "{headers}");
        }
        let sealed = bed.sealed_at(site, "object").await.expect("stored");
        assert!(!sealed.windows(32).any(|window| window == [7; 32]));
    }
}

#[tokio::test]
async fn a_backup_serves_it_with_the_key_while_the_primary_is_out() {
    let bed = Testbed::start().await;
    let (key, body) = (Key::of(7), pattern(400_000));
    bed.upload_object("object", &body, &key.headers()).await.expect(200);
    bed.stop_primary().await;
    let got = bed.get("/object", &key.headers()).await.expect(200);
    assert_eq!(got.header("x-strongroom-served-by"), "backup");
    assert!(got.body == body);
    assert_closed(&bed, "object", 7).await;
}

#[tokio::test]
async fn a_body_that_stops_to_authenticate_goes_on_from_the_other_site() {
    let bed = Testbed::start().await;
    let (key, body) = (Key::of(7), pattern(3_000_000));
    bed.upload_object("object", &body, &key.headers()).await.expect(200);
    let mut damaged = bed.sealed_at(bed.primary(), "object").await.expect("stored");
    damaged[2_000_000] ^= 1;
    bed.store_with(bed.primary(), "object", &damaged, &crate::site::ObjectHeaders::default()).await;
    let got = bed.get("/object", &key.headers()).await.expect(200);
    assert!(got.body == body, "the rest comes from the backup, with the same key");
}

#[tokio::test]
async fn a_copy_has_the_key_that_it_is_asked_to_have() {
    let bed = Testbed::start().await;
    for size in [1_000, MIB5 + 1_000] {
        let body = pattern(size);
        bed.upload_object("plain", &body, &[]).await.expect(200);
        bed.upload_object("keyed", &body, &Key::of(7).headers()).await.expect(200);
        let (old, new) = (Key::source(7), Key::of(9));
        assert_told(&bed.copy("plain", "to-keyed", &new.headers()).await.expect(200), &new);
        bed.copy("keyed", "to-plain", &old.headers()).await.expect(200);
        assert_told(&bed.copy("keyed", "re-keyed", &old.and(&new)).await.expect(200), &new);
        let same = Key::of(7);
        assert_told(&bed.copy("keyed", "same", &old.and(&same)).await.expect(200), &same);
        assert!(bed.fetch("to-plain").await == body);
        for (name, byte) in [("to-keyed", 9), ("re-keyed", 9), ("same", 7)] {
            let got = bed.get(&format!("/{name}"), &Key::of(byte).headers()).await.expect(200);
            assert!(got.body == body, "{name}");
            assert_closed(&bed, name, byte).await;
            bed.assert_same_everywhere(name, &body).await;
        }
        let shares = |a: &[u8], b: &[u8]| a[..500] == b[..500];
        let from = bed.sealed_at(bed.primary(), "keyed").await.expect("stored");
        let same = bed.sealed_at(bed.primary(), "same").await.expect("stored");
        let other = bed.sealed_at(bed.primary(), "re-keyed").await.expect("stored");
        assert_eq!((shares(&from, &same), shares(&from, &other)), (size > MIB5, false), "the body is reused or not");
        assert_eq!(bed.copy("keyed", "none", &[]).await.outcome(), error(400, "InvalidRequest"));
        assert_eq!(bed.copy("keyed", "none", &new.headers()).await.outcome(), error(400, "InvalidRequest"));
        let wrong = Key::source(8);
        assert_eq!(bed.copy("keyed", "none", &wrong.headers()).await.outcome(), error(403, "AccessDenied"));
        assert_eq!(bed.copy("plain", "none", &old.headers()).await.outcome(), error(400, "InvalidRequest"));
        bed.assert_nowhere("none").await;
    }
    let onto_itself = bed.copy("keyed", "keyed", &Key::source(7).and(&Key::of(5))).await.expect(200);
    assert_told(&onto_itself, &Key::of(5));
    assert_closed(&bed, "keyed", 5).await;
}

async fn part(upload: &Upload<'_>, number: i32, body: &[u8], key: &Key) -> String {
    let answer = upload.try_part(number, body, &key.headers()).await.expect(200);
    assert_told(&answer, key);
    answer.header("etag").to_owned()
}

#[tokio::test]
async fn every_part_of_an_upload_brings_the_key_that_it_was_begun_with() {
    let bed = Testbed::start().await;
    let (key, other) = (Key::of(7), Key::of(8));
    let created = bed.try_create("object", &key.headers()).await.expect(200);
    assert_told(&created, &key);
    let upload = Upload { bed: &bed, key: "object".to_owned(), id: created.element("UploadId") };
    let parts = [pattern(MIB5 + 77), pattern(MIB5), pattern(1_000)];
    for headers in [vec![], other.headers()] {
        assert_eq!(upload.try_part(1, &parts[0], &headers).await.outcome(), error(400, "InvalidRequest"));
    }
    let first = part(&upload, 1, &parts[0], &key).await;
    bed.upload_object("from", &parts[1], &other.headers()).await.expect(200);
    let source = Key::source(8);
    let copied = upload.part_copy(4, "from", &key.and(&source)).await.expect(200);
    assert_told(&copied, &key);
    for headers in [key.headers(), source.headers()] {
        assert_eq!(upload.part_copy(5, "from", &headers).await.outcome(), error(400, "InvalidRequest"));
    }
    let last = part(&upload, 9, &parts[2], &key).await;
    let second = copied.element("ETag");
    assert_eq!(upload.list("").await.expect(200).elements("Part").len(), 3, "ListParts does without the key");
    let listed = [(1, first.as_str()), (4, second.as_str()), (9, last.as_str())];
    let wrong = upload.complete_with(&listed, &other.headers()).await;
    assert_eq!(wrong.outcome(), error(400, "InvalidRequest"));
    let done = upload.complete(&listed).await.expect(200);
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    assert_eq!(done.element("ETag"), multipart_etag(&slices));
    let whole = parts.concat();
    assert!(bed.get("/object", &key.headers()).await.expect(200).body == whole);
    let ranged = [key.headers(), vec![("range", "bytes=5242900-10486000")]].concat();
    assert!(bed.get("/object", &ranged).await.expect(206).body == whole[5_242_900..=10_486_000]);
    let fourth = bed.get("/object?partNumber=4", &key.headers()).await.expect(206);
    assert!(fourth.body == parts[1]);
    assert_closed(&bed, "object", 7).await;
    bed.assert_same_everywhere("object", &whole).await;
}

#[tokio::test]
async fn complete_with_the_key_looks_closer_at_what_was_staged() {
    let bed = Testbed::start().await;
    let key = Key::of(7);
    let created = bed.try_create("object", &key.headers()).await.expect(200);
    let upload = Upload { bed: &bed, key: "object".to_owned(), id: created.element("UploadId") };
    let etag = part(&upload, 1, &pattern(1_000), &key).await;
    upload.complete_with(&[(1, &etag)], &key.headers()).await.expect(200);
    assert!(bed.get("/object", &key.headers()).await.expect(200).body == pattern(1_000));
}

#[tokio::test]
async fn an_upload_without_a_key_takes_no_parts_with_one() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let refused = upload.try_part(1, b"body", &Key::of(7).headers()).await;
    assert_eq!(refused.outcome(), error(400, "InvalidRequest"));
    let target = format!("/{BUCKET}/object");
    assert_eq!(bed.call("HEAD", Operation::HeadObject, &target, &[]).await.status, 404);
}
