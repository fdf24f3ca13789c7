//! GetObjectAttributes of objects of every kind.
use super::client::{MIB5, error};
use crate::gateway::testbed::{Answer, BUCKET, Testbed, pattern};
use crate::s3::Operation;

const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";

async fn attributes(bed: &Testbed, key: &str, names: &str, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("x-amz-object-attributes", names)], more].concat();
    bed.call("GET", Operation::GetObjectAttributes, &format!("/{BUCKET}/{key}?attributes"), &headers).await
}

#[tokio::test]
async fn an_object_that_was_put_whole_has_no_parts() {
    let bed = Testbed::start().await;
    bed.upload_object("object", b"hello", &[("x-amz-sdk-checksum-algorithm", "CRC32")]).await.expect(200);
    let told = attributes(&bed, "object", ALL, &[]).await.expect(200);
    assert_eq!(told.element("ChecksumCRC32"), "NhCmhg==");
    assert_eq!((told.element("ChecksumType"), told.element("StorageClass")), ("FULL_OBJECT".into(), "STANDARD".into()));
    assert_eq!(told.element("ObjectSize"), "5");
    assert!(told.elements("ObjectParts").is_empty());
    let little = attributes(&bed, "object", "ObjectSize", &[]).await.expect(200);
    assert!(little.elements("ETag").is_empty() && little.elements("Checksum").is_empty(), "{}", little.text());
}

#[tokio::test]
async fn parts_of_a_composite_checksum_are_told_page_by_page() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let (e2, e7) = (upload.part(2, &pattern(MIB5)).await, upload.part(7, b"end").await);
    let done = upload.complete_with_sums(&[(2, &e2), (7, &e7)], &[]).await.expect(200);
    let told = attributes(&bed, "object", ALL, &[]).await.expect(200);
    let composite = done.element("ChecksumCRC32");
    assert_eq!(composite, format!("{}-2", told.element("ChecksumCRC32")), "here it does not name the number of parts");
    assert_eq!(told.elements("PartNumber"), ["2", "7"]);
    assert_eq!(told.elements("Size"), [MIB5.to_string(), "3".to_owned()]);
    assert_eq!(told.element("PartsCount"), "2");
    assert_eq!(told.element("ObjectSize"), (MIB5 + 3).to_string());
    let first = attributes(&bed, "object", "ObjectParts", &[("x-amz-max-parts", "1")]).await.expect(200);
    assert_eq!((first.elements("PartNumber"), first.element("IsTruncated")), (vec!["2".into()], "true".into()));
    let rest = attributes(&bed, "object", "ObjectParts", &[("x-amz-part-number-marker", "2")]).await.expect(200);
    assert_eq!((rest.elements("PartNumber"), rest.element("IsTruncated")), (vec!["7".into()], "false".into()));
}

#[tokio::test]
async fn without_a_checksum_only_the_number_of_parts_is_told() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[]).await;
    let etag = upload.part(1, b"body").await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    let told = attributes(&bed, "object", ALL, &[]).await.expect(200);
    assert_eq!(told.element("PartsCount"), "1");
    assert!(told.elements("Part").is_empty() && told.elements("Checksum").is_empty(), "{}", told.text());
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let bed = Testbed::start().await;
    assert_eq!(attributes(&bed, "nothing", ALL, &[]).await.outcome(), error(404, "NoSuchKey"));
    bed.upload_object("object", b"hello", &[]).await.expect(200);
    assert_eq!(attributes(&bed, "object", "ETag,Nonsense", &[]).await.outcome(), error(400, "InvalidArgument"));
    let negative = [("x-amz-max-parts", "-1")];
    assert_eq!(attributes(&bed, "object", ALL, &negative).await.outcome(), error(400, "InvalidArgument"));
}
