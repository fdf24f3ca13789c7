//! ListParts and ListMultipartUploads.
use super::client::{MIB5, error};
use crate::gateway::testbed::{Answer, BUCKET, Testbed, pattern};
use crate::s3::Operation;
use md5::{Digest, Md5};

async fn uploads(bed: &Testbed, query: &str) -> Answer {
    bed.call("GET", Operation::ListMultipartUploads, &format!("/{BUCKET}?uploads{query}"), &[]).await
}

#[tokio::test]
async fn parts_are_listed_with_plain_sizes_and_plain_etags_page_by_page() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let bodies = [(2, pattern(MIB5)), (5, pattern(17)), (7, Vec::new())];
    for (number, body) in &bodies {
        upload.part(*number, body).await;
    }
    let all = upload.list("").await.expect(200);
    assert_eq!(all.elements("PartNumber"), ["2", "5", "7"]);
    assert_eq!(all.elements("Size"), [MIB5.to_string(), "17".to_owned(), "0".to_owned()]);
    let etags: Vec<_> = bodies.iter().map(|(_, body)| format!("\"{}\"", hex::encode(Md5::digest(body)))).collect();
    assert_eq!(all.elements("ETag"), etags);
    assert_eq!(all.elements("ChecksumCRC32").len(), 3);
    for (name, value) in [
        ("IsTruncated", "false"),
        ("StorageClass", "STANDARD"),
        ("ChecksumAlgorithm", "CRC32"),
        ("ChecksumType", "COMPOSITE"),
        ("UploadId", &upload.id),
    ] {
        assert_eq!(all.element(name), value, "{name}");
    }
    assert!(all.element("Initiator").contains("<ID>TEST</ID>"));

    let first = upload.list("&max-parts=2").await.expect(200);
    assert_eq!(first.elements("PartNumber"), ["2", "5"]);
    assert_eq!((first.element("IsTruncated"), first.element("NextPartNumberMarker")), ("true".into(), "5".into()));
    let second = upload.list("&max-parts=2&part-number-marker=5").await.expect(200);
    assert_eq!(second.elements("PartNumber"), ["7"]);
    assert_eq!(second.element("IsTruncated"), "false");
    assert_eq!(upload.list("&max-parts=-1").await.outcome(), error(400, "InvalidArgument"));
}

#[tokio::test]
async fn uploads_are_listed_by_prefix_and_delimiter_page_by_page() {
    let bed = Testbed::start().await;
    let keys = ["a", "dir/1", "dir/2", "dir2/1", "z%20z"];
    for key in keys {
        bed.create(key, &[]).await;
    }
    bed.create("a", &[]).await;
    let all = uploads(&bed, "").await.expect(200);
    assert_eq!(all.elements("Key"), ["a", "a", "dir/1", "dir/2", "dir2/1", "z z"]);
    assert_eq!(all.element("IsTruncated"), "false");
    assert_eq!(uploads(&bed, "&prefix=dir/").await.elements("Key"), ["dir/1", "dir/2"]);
    assert_eq!(uploads(&bed, "&encoding-type=url&prefix=z").await.elements("Key"), ["z%20z"]);
    assert_eq!(uploads(&bed, "&key-marker=dir/1").await.elements("Key"), ["dir/2", "dir2/1", "z z"]);

    let (mut seen, mut query) = (Vec::new(), "&delimiter=/&max-uploads=1".to_owned());
    loop {
        let page = uploads(&bed, &query).await.expect(200);
        seen.extend(page.elements("Key"));
        let prefixes = page.elements("CommonPrefixes").concat();
        seen.extend(prefixes.split("<Prefix>").filter_map(|text| text.split_once("</Prefix>")).map(|p| p.0.to_owned()));
        if page.element("IsTruncated") == "false" {
            break;
        }
        let (key, id) = (page.element("NextKeyMarker"), page.element("NextUploadIdMarker"));
        query = format!("&delimiter=/&max-uploads=1&key-marker={key}&upload-id-marker={id}");
        assert!(seen.len() < 10, "the listing does not end: {seen:?}");
    }
    assert_eq!(seen, ["a", "a", "dir/", "dir2/", "z z"]);
}

#[tokio::test]
async fn finished_and_aborted_uploads_are_not_listed() {
    let bed = Testbed::start().await;
    let (done, aborted, open) =
        (bed.create("done", &[]).await, bed.create("aborted", &[]).await, bed.create("open", &[]).await);
    let etag = done.part(1, b"x").await;
    done.complete(&[(1, &etag)]).await.expect(200);
    aborted.abort().await.expect(204);
    assert_eq!(uploads(&bed, "").await.elements("UploadId"), [open.id]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_has_no_uploads() {
    let bed = Testbed::start().await;
    let answer = bed.call("GET", Operation::ListMultipartUploads, "/no-such-bucket?uploads", &[]).await;
    assert_eq!(answer.outcome(), error(404, "NoSuchBucket"));
    let answer = bed.call("POST", Operation::CreateMultipartUpload, "/no-such-bucket/key?uploads", &[]).await;
    assert_eq!(answer.outcome(), error(404, "NoSuchBucket"));
}

#[tokio::test]
async fn a_bucket_that_is_made_again_has_none_of_the_uploads_of_before() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    upload.part(1, b"small, so it is staged").await;
    bed.call("DELETE", Operation::DeleteBucket, &format!("/{BUCKET}"), &[]).await.expect(204);
    bed.call("PUT", Operation::CreateBucket, &format!("/{BUCKET}"), &[]).await.expect(200);
    assert!(uploads(&bed, "").await.expect(200).elements("UploadId").is_empty());
    assert_eq!(upload.list("").await.outcome(), error(404, "NoSuchUpload"));
}
