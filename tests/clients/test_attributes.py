"""GetObjectAttributes: what boto3 is told of an object without reading it."""

import hashlib

import pytest
from common.data import FIVE_MIB, content
from s3errors import error_of

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


@pytest.fixture
def target(request, pool):
    """Over sites of either kind; RGW 16 itself has no such operation."""
    if request.config.getoption("--direct") == "rgw":
        pytest.skip("RGW 16 answers 500")
    return pool.target(*request.param)


def pytest_generate_tests(metafunc):
    """The module has a target of its own, so it says over which backends."""
    if "target" in metafunc.fixturenames:
        direct = metafunc.config.getoption("--direct")
        backends = [f"direct_{direct}"] if direct else ["embedded"]
        if not direct and not metafunc.config.getoption("--no-rgw"):
            backends.append("rgw")
        metafunc.parametrize("target", [(backend, "http") for backend in backends], ids=backends, indirect=True)


def test_an_object_that_was_put_whole(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert told["ETag"] == hashlib.md5(b"hello").hexdigest(), "without quotes, as nowhere else"
    assert told["Checksum"] == {"ChecksumSHA256": put["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"}
    assert (told["ObjectSize"], told["StorageClass"]) == (5, "STANDARD")
    assert "ObjectParts" not in told
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert set(only) - {"ResponseMetadata", "LastModified"} == {"ObjectSize"}


def upload(s3, bucket, kind):
    """Two parts with CRC32; the answer of Complete and of each part."""
    where = {"Bucket": bucket, "Key": "m"}
    create = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    place = {**where, "UploadId": create["UploadId"]}
    sent = []
    for number, size in ((1, FIVE_MIB), (2, 100)):
        answer = s3.upload_part(**place, PartNumber=number, Body=content(size, number), ChecksumAlgorithm="CRC32")
        sent.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    return s3.complete_multipart_upload(**place, MultipartUpload={"Parts": sent}, ChecksumType=kind), sent


def test_the_parts_of_a_composite_checksum_page_by_page(s3, bucket):
    done, sent = upload(s3, bucket, "COMPOSITE")
    told = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=ALL)
    assert told["ETag"] == done["ETag"].strip('"') and told["ObjectSize"] == FIVE_MIB + 100
    value, _, parts = done["ChecksumCRC32"].partition("-")
    assert (told["Checksum"], parts) == ({"ChecksumCRC32": value, "ChecksumType": "COMPOSITE"}, "2")
    shown = told["ObjectParts"]["Parts"]
    assert [part["Size"] for part in shown] == [FIVE_MIB, 100]
    assert [part["ChecksumCRC32"] for part in shown] == [part["ChecksumCRC32"] for part in sent]
    page = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["ObjectParts"], MaxParts=1)["ObjectParts"]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["TotalPartsCount"]) == (True, 1, 2)
    rest = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=["ObjectParts"], PartNumberMarker=1)
    assert [part["PartNumber"] for part in rest["ObjectParts"]["Parts"]] == [2]


def test_of_a_checksum_over_the_whole_only_the_number_of_parts_is_told(s3, bucket):
    done, _ = upload(s3, bucket, "FULL_OBJECT")
    told = s3.get_object_attributes(Bucket=bucket, Key="m", ObjectAttributes=ALL)
    assert told["Checksum"] == {"ChecksumCRC32": done["ChecksumCRC32"], "ChecksumType": "FULL_OBJECT"}
    assert told["ObjectParts"] == {"TotalPartsCount": 2}


def test_what_is_not_there_or_not_an_attribute_is_refused(s3, bucket):
    assert error_of(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=ALL) == ("NoSuchKey", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    wrong = {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["ETag", "Nonsense"]}
    assert error_of(s3.get_object_attributes, **wrong) == ("InvalidArgument", 400)
