//! Checksums of parts and of the object they make.
use super::client::{MIB5, Upload, error};
use crate::gateway::testbed::{Testbed, pattern};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use sha2::Digest as _;

const CRCS: [(&str, CrcAlgorithm, usize); 3] = [
    ("crc32", CrcAlgorithm::Crc32IsoHdlc, 4),
    ("crc32c", CrcAlgorithm::Crc32Iscsi, 4),
    ("crc64nvme", CrcAlgorithm::Crc64Nvme, 8),
];

fn crc(algorithm: CrcAlgorithm, length: usize, bytes: &[u8]) -> String {
    STANDARD.encode(&crc_fast::checksum(algorithm, bytes).to_be_bytes()[8 - length..])
}

/// S3 writes the element's name as `ChecksumCRC32C`.
fn element(name: &str) -> String {
    format!("Checksum{}", name.to_ascii_uppercase())
}

async fn two_parts(upload: &Upload<'_>, parts: &[Vec<u8>; 2]) -> [String; 2] {
    [upload.part(1, &parts[0]).await, upload.part(2, &parts[1]).await]
}

#[tokio::test]
async fn a_full_object_checksum_is_that_of_all_bytes() {
    let bed = Testbed::start().await;
    let parts = [pattern(MIB5 + 333), pattern(4444)];
    for (name, algorithm, length) in CRCS {
        let headers = [("x-amz-checksum-algorithm", name), ("x-amz-checksum-type", "FULL_OBJECT")];
        let upload = bed.create("object", &headers).await;
        let [e1, e2] = two_parts(&upload, &parts).await;
        let list = [(1, e1.as_str()), (2, e2.as_str())];
        let expected = crc(algorithm, length, &parts.concat());
        let header = format!("x-amz-checksum-{name}");
        let zero = STANDARD.encode(vec![0; length]);
        let wrong = upload.complete_with(&list, &[(&header, &zero)]).await;
        assert_eq!(wrong.outcome(), error(400, "BadDigest"), "{name}");
        let done = upload.complete_with(&list, &[(&header, &expected), ("x-amz-checksum-type", "FULL_OBJECT")]).await;
        let done = done.expect(200);
        assert_eq!(done.element(&element(name)), expected);
        assert_eq!(done.element("ChecksumType"), "FULL_OBJECT");
        let head = bed.head("/object", &[("x-amz-checksum-mode", "ENABLED")]).await;
        assert_eq!(head.header(&header), expected);
    }
}

#[tokio::test]
async fn a_composite_checksum_is_over_the_parts_and_says_how_many() {
    let bed = Testbed::start().await;
    let parts = [pattern(MIB5), pattern(99)];
    let upload = bed.create("object", &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let [e1, e2] = two_parts(&upload, &parts).await;
    let of_parts: Vec<Vec<u8>> = parts.iter().map(|part| sha2::Sha256::digest(part).to_vec()).collect();
    let value = STANDARD.encode(sha2::Sha256::digest(of_parts.concat()));
    let list = [(1, e1.as_str()), (2, e2.as_str())];
    let wrong = [("x-amz-checksum-sha256", STANDARD.encode([0; 32]))];
    let answer = upload.complete_with_sums(&list, &[(wrong[0].0, &wrong[0].1)]).await;
    assert_eq!(answer.outcome(), error(400, "BadDigest"));
    assert_eq!(
        upload.complete(&list).await.outcome(),
        error(400, "InvalidRequest"),
        "the parts' checksums are missing"
    );
    let right = format!("{value}-2");
    let done = upload.complete_with_sums(&list, &[("x-amz-checksum-sha256", &right)]).await.expect(200);
    assert_eq!(done.element("ChecksumSHA256"), right);
    assert_eq!(done.element("ChecksumType"), "COMPOSITE");
    let head = bed.head("/object", &[("x-amz-checksum-mode", "ENABLED")]).await;
    assert_eq!(head.header("x-amz-checksum-sha256"), right);
}

#[tokio::test]
async fn the_checksum_of_each_part_is_compared_at_complete() {
    let bed = Testbed::start().await;
    let upload = bed.create("object", &[("x-amz-checksum-algorithm", "CRC32")]).await;
    let body = b"only part";
    let sum = crc(CrcAlgorithm::Crc32IsoHdlc, 4, body);
    let answer = upload.try_part(1, body, &[("x-amz-checksum-crc32", &sum)]).await.expect(200);
    assert_eq!(answer.header("x-amz-checksum-crc32"), sum);
    let etag = answer.header("etag").to_owned();
    let xml = |sum: &str| {
        format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag><ChecksumCRC32>{sum}</ChecksumCRC32></Part>")
    };
    assert_eq!(upload.complete_xml(&xml("AAAAAA=="), &[]).await.outcome(), error(400, "InvalidPart"));
    upload.complete_xml(&xml(&sum), &[]).await.expect(200);
}

#[tokio::test]
async fn algorithms_and_types_that_do_not_go_together_are_refused() {
    let bed = Testbed::start().await;
    for (algorithm, kind) in [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")] {
        let headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)];
        let answer = bed.try_create("object", &headers).await;
        assert_eq!(answer.outcome(), error(400, "InvalidRequest"), "{algorithm} {kind}");
    }
    let alone = bed.try_create("object", &[("x-amz-checksum-type", "COMPOSITE")]).await;
    assert_eq!(alone.outcome(), error(400, "InvalidRequest"));
    let nonsense = bed.try_create("object", &[("x-amz-checksum-algorithm", "CRC1")]).await;
    assert_eq!(nonsense.outcome(), error(400, "InvalidRequest"));
}

#[tokio::test]
async fn what_was_announced_binds_parts_and_complete() {
    let bed = Testbed::start().await;
    let created = bed.try_create("object", &[("x-amz-checksum-algorithm", "CRC32C")]).await.expect(200);
    assert_eq!(created.header("x-amz-checksum-algorithm"), "CRC32C");
    assert_eq!(created.header("x-amz-checksum-type"), "COMPOSITE");
    assert_eq!(created.header("x-amz-server-side-encryption"), "AES256");
    let upload = Upload { bed: &bed, key: "object".to_owned(), id: created.element("UploadId") };
    let other = upload.try_part(1, b"x", &[("x-amz-checksum-crc32", "jNW0gQ==")]).await;
    assert_eq!(other.outcome(), error(400, "InvalidRequest"));
    let part = upload.try_part(1, b"x", &[]).await.expect(200);
    assert_eq!(part.header("x-amz-checksum-crc32c"), crc(CrcAlgorithm::Crc32Iscsi, 4, b"x"));
    let etag = part.header("etag").to_owned();
    for headers in [("x-amz-checksum-crc32", "jNW0gQ=="), ("x-amz-checksum-type", "FULL_OBJECT")] {
        let answer = upload.complete_with_sums(&[(1, &etag)], &[headers]).await;
        assert_eq!(answer.outcome(), error(400, "InvalidRequest"), "{headers:?}");
    }
}
