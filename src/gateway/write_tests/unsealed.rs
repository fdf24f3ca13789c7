//! A bucket on its way in: plain objects are served as they are where the rule says so, sealed in place by a copy, and never taken for a
//! sealed object that somebody replaced.
use super::client::error;
use crate::gateway::testbed::{Testbed, at, pattern};
use crate::policy::{MetadataForm, Unsealed};
use crate::s3::Operation;
use crate::seal::TRAILER_LEN;
use crate::site::{METADATA_HEADER, ObjectHeaders, Site};
use md5::{Digest, Md5};

const UNSEALED: &str = "x-strongroom-unsealed";

async fn bed() -> Testbed {
    Testbed::with_rule(Unsealed::Read, MetadataForm::Sealed).await
}

fn etag(plain: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(plain)))
}

fn headers(all: &[(&str, &str)]) -> ObjectHeaders {
    let clear = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ObjectHeaders { clear, ..ObjectHeaders::default() }
}

/// Put there by somebody else.
async fn plain(bed: &Testbed, site: &Site, key: &str, bytes: &[u8]) {
    bed.store_with(site, key, bytes, &headers(&[])).await;
}

#[tokio::test]
async fn a_plain_object_of_any_length_is_served_as_it_is_and_says_so() {
    let bed = bed().await;
    // 700 and 717 are lengths of sealed objects
    for length in [0, 1, 527, 528, 700, 717, 70_000, 300_000] {
        let bytes = pattern(length);
        plain(&bed, bed.primary(), "old", &bytes).await;
        let got = bed.get("/old", &[]).await.expect(200);
        assert!(got.body == bytes && !got.broken, "{length}");
        assert_eq!((got.header("etag"), got.header(UNSEALED)), (etag(&bytes).as_str(), "true"));
        assert_eq!(got.header("x-amz-server-side-encryption"), "", "nothing is claimed");
        let head = bed.head("/old", &[]).await.expect(200);
        assert_eq!((head.header("content-length"), head.header("etag")), (&*length.to_string(), &*etag(&bytes)));
    }
}

#[tokio::test]
async fn ranges_parts_and_conditions_work_on_a_plain_object() {
    let bed = bed().await;
    let bytes = pattern(100_000);
    plain(&bed, bed.primary(), "old", &bytes).await;
    let range = bed.get("/old", &[("range", "bytes=70000-70009")]).await.expect(206);
    assert_eq!(
        (range.body.as_slice(), range.header("content-range")),
        (&bytes[70_000..70_010], "bytes 70000-70009/100000")
    );
    assert_eq!(bed.get("/old", &[("range", "bytes=-5")]).await.expect(206).body, &bytes[99_995..]);
    assert_eq!(bed.get("/old", &[("range", "bytes=100000-")]).await.status, 416);
    assert!(bed.get("/old?partNumber=1", &[]).await.expect(206).body == bytes);
    let own = etag(&bytes);
    assert_eq!(bed.get("/old", &[("if-none-match", &own)]).await.status, 304);
    assert_eq!(bed.head("/old", &[("if-match", "\"00\"")]).await.status, 412);
    assert_eq!(bed.get("/old", &[("if-match", &own)]).await.status, 200);
}

#[tokio::test]
async fn its_headers_come_with_it() {
    let bed = bed().await;
    let given = [("content-type", "text/csv"), ("cache-control", "no-cache"), ("x-amz-meta-client", "4711")];
    bed.store_with(bed.primary(), "old", b"a,b", &headers(&given)).await;
    let head = bed.head("/old", &[]).await.expect(200);
    for (name, value) in given {
        assert_eq!(head.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn a_listing_shows_plain_and_sealed_objects_side_by_side() {
    let bed = bed().await;
    for (key, length) in [("a", 3), ("b", 700)] {
        plain(&bed, bed.primary(), key, &pattern(length)).await;
    }
    bed.upload_object("c", &pattern(17), &[]).await.expect(200);
    let page = bed.ask("GET", Operation::ListObjectsV2, "?list-type=2", &[]).await.expect(200);
    assert_eq!(page.elements("Size"), ["3", "700", "17"]);
    assert_eq!(page.elements("ETag"), [etag(&pattern(3)), etag(&pattern(700)), etag(&pattern(17))]);
}

#[tokio::test]
async fn without_the_rule_it_is_refused() {
    let bed = Testbed::start().await;
    plain(&bed, bed.primary(), "old", b"plain").await;
    assert_eq!(bed.get("/old", &[]).await.outcome(), error(403, "InvalidObjectState"));
    assert_eq!(bed.copy("old", "new", &[]).await.outcome(), error(403, "InvalidObjectState"));
}

#[tokio::test]
async fn a_sealed_object_at_a_backup_speaks_against_a_plain_one() {
    let bed = bed().await;
    let sealed = bed.put("object", b"the truth").await;
    plain(&bed, bed.primary(), "object", b"a forgery").await;
    let got = bed.get("/object", &[]).await.expect(200);
    assert_eq!((got.body.as_slice(), got.header("x-strongroom-served-by")), (&b"the truth"[..], "backup"));
    assert_eq!(got.header(UNSEALED), "");
    // Even one that does not open.
    let mut damaged = sealed.clone();
    damaged.bytes[40] ^= 1;
    let end = damaged.bytes.len();
    damaged.bytes[end - 100] ^= 1;
    bed.store(bed.backup(), "object", &damaged).await;
    let got = bed.get("/object", &[]).await;
    assert!(got.status >= 400 && !got.text().contains("forgery"), "{}", got.text());
}

#[tokio::test]
async fn a_name_that_was_sealed_once_takes_no_plain_object_any_more() {
    let bed = bed().await;
    bed.upload_object("object", b"the truth", &[]).await.expect(200);
    for site in [bed.primary(), bed.backup()] {
        plain(&bed, site, "object", b"a forgery").await;
    }
    for answer in [bed.get("/object", &[]).await, bed.copy("object", "other", &[]).await] {
        assert_eq!(answer.outcome(), error(500, "InternalError"));
    }
    assert_eq!(bed.head("/object", &[]).await.status, 500);
}

#[tokio::test]
async fn what_bears_a_sign_of_ours_is_damaged_and_not_plain() {
    let bed = bed().await;
    let sealed = bed.seal("object", &[&pattern(1000)], false, &Default::default());
    let longer = [&[0; 10][..], &sealed.bytes].concat();
    plain(&bed, bed.primary(), "object", &longer).await;
    assert_eq!(bed.get("/object", &[]).await.status, 500, "a trailer at its end");
    let cut = &sealed.bytes[..sealed.bytes.len() - TRAILER_LEN as usize];
    let ours = ObjectHeaders::of(Some("AAAA"));
    bed.store_with(bed.primary(), "object", cut, &ours).await;
    assert_eq!(bed.get("/object", &[]).await.status, 500, "our {METADATA_HEADER}");
    assert!(METADATA_HEADER.ends_with("strongroom"));
}

#[tokio::test]
async fn a_backup_that_is_down_does_not_hide_plain_objects_and_never_serves_them() {
    let bed = bed().await;
    for site in [bed.primary(), bed.backup()] {
        plain(&bed, site, "old", b"plain").await;
    }
    bed.stop_primary().await;
    assert_eq!(bed.get("/old", &[]).await.status, 503, "nobody vouches for a plain object at a backup");
    let bed = self::bed().await;
    plain(&bed, bed.primary(), "old", b"plain").await;
    bed.stop_backup().await;
    assert_eq!(bed.get("/old", &[]).await.expect(200).body, b"plain");
}

#[tokio::test]
async fn a_copy_onto_itself_seals_it_at_every_site_with_all_that_belongs_to_it() {
    let bed = bed().await;
    let bytes = pattern(400_000);
    let given = [("content-type", "text/csv"), ("x-amz-meta-client", "4711"), ("content-language", "de")];
    bed.store_with(bed.primary(), "old", &bytes, &headers(&given)).await;
    plain(&bed, bed.backup(), "old", b"an older copy").await;
    let own = etag(&bytes);
    let asked = [("x-amz-server-side-encryption", "AES256"), ("if-match", own.as_str())];
    let copied = bed.copy("old", "old", &asked).await.expect(200);
    assert_eq!(copied.element("ETag"), own, "the ETag stays");
    bed.assert_same_everywhere("old", &bytes).await;
    let got = bed.get("/old", &[]).await.expect(200);
    assert!(got.body == bytes && got.header(UNSEALED).is_empty());
    for (name, value) in given {
        assert_eq!(got.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn a_client_that_writes_in_between_is_not_overwritten() {
    let bed = bed().await;
    plain(&bed, bed.primary(), "old", b"plain").await;
    let looked_at = etag(b"plain");
    bed.upload_object("old", b"newer", &[]).await.expect(200);
    let asked = [("x-amz-server-side-encryption", "AES256"), ("if-match", looked_at.as_str())];
    assert_eq!(bed.copy("old", "old", &asked).await.outcome(), error(412, "PreconditionFailed"));
    assert_eq!(bed.fetch("old").await, b"newer");
}

#[tokio::test]
async fn conditions_of_writes_and_deletes_know_the_plain_etag() {
    let bed = bed().await;
    plain(&bed, bed.primary(), "old", b"plain").await;
    let (own, other) = (etag(b"plain"), etag(b"other"));
    assert_eq!(bed.upload_object("old", b"new", &[("if-match", &other)]).await.status, 412);
    bed.upload_object("old", b"new", &[("if-match", &own)]).await.expect(200);
    bed.assert_same_everywhere("old", b"new").await;
    plain(&bed, bed.primary(), "gone", b"plain").await;
    let delete = async |etag: &str| {
        let answer = bed.ask("DELETE", Operation::DeleteObject, "/gone", &[("if-match", etag)]).await;
        answer.status
    };
    assert_eq!((delete(&other).await, delete(&own).await), (412, 204));
    assert_eq!(bed.head("/gone", &[]).await.status, 404);
}

#[tokio::test]
async fn clear_metadata_lies_in_the_open_and_is_served_from_the_sealed_form() {
    let bed = Testbed::with_rule(Unsealed::Refuse, MetadataForm::Clear).await;
    let given = [("content-type", "text/csv"), ("x-amz-meta-client", "4711"), ("content-encoding", "gzip")];
    bed.upload_object("put", b"a,b", &given).await.expect(200);
    let upload = bed.create("parts", &given).await;
    let part = upload.part(1, b"a,b").await;
    upload.complete(&[(1, &part)]).await.expect(200);
    bed.copy("put", "copy", &[]).await.expect(200);
    for key in ["put", "parts", "copy"] {
        for site in [bed.primary(), bed.backup()] {
            let got = site.get(&at(key), crate::site::SealedRange::Last(1), None).await.expect("it is there");
            let text = |name: &str| got.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            assert_eq!(text("content-type").as_deref(), Some("text/csv"), "{key}");
            assert_eq!(text("x-amz-meta-client").as_deref(), Some("4711"), "{key}");
            assert_eq!(text("content-encoding"), None, "the sealed bytes are not gzip");
            assert!(got.metadata.is_some(), "the sealed form is there too");
        }
        let head = bed.head(&format!("/{key}"), &[]).await.expect(200);
        for (name, value) in given {
            assert_eq!(head.header(name), value, "{key}: {name}");
        }
    }
    // A site that changes what lies in the open changes nothing for clients.
    let sealed = bed.sealed_at(bed.primary(), "put").await.expect("it is there");
    let got = bed.primary().get(&at("put"), crate::site::SealedRange::Last(1), None).await.expect("it is there");
    let forged = ObjectHeaders { metadata: got.metadata.clone(), ..headers(&[("content-type", "text/html")]) };
    bed.store_with(bed.primary(), "put", &sealed, &forged).await;
    assert_eq!(bed.head("/put", &[]).await.header("content-type"), "text/csv");
}

#[tokio::test]
async fn user_metadata_comes_back_up_to_two_kibibytes_whatever_it_holds() {
    let bed = Testbed::start().await;
    let name = "x-amz-meta-k";
    // The worst that JSON makes of it: every character is escaped.
    let quotes = "\"".repeat(2047);
    bed.upload_object("quotes", b"x", &[(name, &quotes)]).await.expect(200);
    assert!(bed.head("/quotes", &[]).await.header(name) == quotes);
    let long = "v".repeat(2048);
    assert_eq!(bed.upload_object("long", b"x", &[(name, &long)]).await.outcome(), error(400, "MetadataTooLarge"));
    // S3 answers text that is not ASCII as an encoded word of RFC 2047, and takes one.
    let word = "=?UTF-8?B?5Yet6K+BIDQ3MTE=?=";
    bed.upload_object("word", b"x", &[(name, word)]).await.expect(200);
    bed.upload_object("utf-8", b"x", &[(name, "凭证 4711")]).await.expect(200);
    let given = bed.head("/word", &[]).await.header(name).to_owned();
    assert!(given.starts_with("=?UTF-8?"), "{given}");
    assert_eq!(bed.head("/utf-8", &[]).await.header(name), given);
}
