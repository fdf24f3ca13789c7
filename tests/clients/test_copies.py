"""Copies that move no data: from 5 MiB on the sites copy the sealed body by themselves, and the metrics show it."""

import hashlib

import pytest
from common import audit
from common.data import FIVE_MIB, MIB, content
from common.sites import read
from conftest import LITTLE, new_bucket
from s3errors import error_of
from test_multipart import Upload

SIZE = 64 * MIB


@pytest.fixture
def other_bucket(target, s3):
    """A second bucket, checked and removed like the first."""
    name = new_bucket(s3)
    yield name
    audit.check_bucket(target, name)
    audit.remove_bucket(s3, name)


def assert_no_upload_is_left(target, *buckets):
    """Nothing half-done lies at any site."""
    for site in target.sites:
        for bucket in buckets:
            left = site.s3().list_multipart_uploads(Bucket=site.raw_bucket(bucket)).get("Uploads", [])
            assert not left, f"{site.name} keeps uploads of {bucket}"


def assert_reads_back(s3, bucket, key, body):
    """Whole and in ranges."""
    assert read(s3, bucket, key) == body
    last = len(body) - 1
    for start, end in ((0, 0), (16383, 16384), (FIVE_MIB - 3, FIVE_MIB + 40_000), (last - 70_000, last)):
        got = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end}")
        assert got["Body"].read() == body[start : end + 1]


def test_a_large_copy_moves_nothing(target, s3, bucket, other_bucket, moves_nothing):
    body = content(SIZE)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ContentType="application/pdf", Metadata={"client": "4711"})
    source = {"Bucket": bucket, "Key": "k"}
    for where in ({"Bucket": bucket, "Key": "副本/a +%20.bin"}, {"Bucket": other_bucket, "Key": "k"}):
        with moves_nothing():
            copied = s3.copy_object(**where, CopySource=source)
        head = s3.head_object(**where)
        assert copied["CopyObjectResult"]["ETag"] == head["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        assert (head["ContentType"], head["Metadata"]) == ("application/pdf", {"client": "4711"})
        assert_reads_back(s3, where["Bucket"], where["Key"], body)
    assert_no_upload_is_left(target, bucket, other_bucket)


def test_a_large_copy_onto_itself_moves_nothing(target, s3, bucket, moves_nothing):
    body = content(SIZE)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ContentType="text/a", Metadata={"old": "1"})
    new = {"MetadataDirective": "REPLACE", "ContentType": "text/b", "Metadata": {"new": "2"}}
    with moves_nothing():
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, **new)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["Metadata"]) == ("text/b", {"new": "2"})
    assert_reads_back(s3, bucket, "k", body)
    assert_no_upload_is_left(target, bucket)


def test_a_copy_of_uneven_parts_moves_nothing_and_keeps_them(target, s3, bucket, other_bucket, moves_nothing):
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC32")
    parts = []
    for number, size in ((1, FIVE_MIB + 1), (3, 7 * MIB + 13), (4, FIVE_MIB + 16384), (9, 17)):
        sent = upload.part(number, content(size, number), ChecksumAlgorithm="CRC32")
        told = {name: sent[name] for name in ("ETag", "ChecksumCRC32") if name in sent}
        parts.append({"PartNumber": number, **told})
    done = s3.complete_multipart_upload(**upload.where, MultipartUpload={"Parts": parts})
    upload.where = {"Bucket": other_bucket, "Key": "copy"}
    with moves_nothing():
        copied = s3.copy_object(**upload.where, CopySource={"Bucket": bucket, "Key": "object"})
    upload.check(copied["CopyObjectResult"])
    if target.proxy:
        # AWS computes both anew; we keep what the source has (docs/SEMANTICS.md).
        assert copied["CopyObjectResult"]["ETag"] == done["ETag"]
        head = s3.head_object(**upload.where, ChecksumMode="ENABLED")
        assert copied["CopyObjectResult"]["ChecksumCRC32"] == head["ChecksumCRC32"] == done["ChecksumCRC32"]
    part = s3.get_object(**upload.where, PartNumber=3)
    assert part["Body"].read() == upload.parts[3]
    assert_no_upload_is_left(target, bucket, other_bucket)


def test_a_copy_outlives_its_source(s3, bucket, moves_nothing):
    body = content(FIVE_MIB + 77)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    with moves_nothing():
        s3.copy_object(Bucket=bucket, Key="first", CopySource={"Bucket": bucket, "Key": "k"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"overwritten")
    with moves_nothing():
        s3.copy_object(Bucket=bucket, Key="second", CopySource={"Bucket": bucket, "Key": "first"})
    s3.delete_object(Bucket=bucket, Key="first")
    assert_reads_back(s3, bucket, "second", body)


def test_a_copy_opens_only_under_its_own_name(target, s3, bucket):
    if not target.sites:
        pytest.skip("looks behind the proxy")
    body = content(FIVE_MIB)
    for key in ("k", "decoy", "copy"):
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    for site in target.sites:
        raw, where = site.s3(), {"Bucket": site.raw_bucket(bucket)}
        raw.put_object(**where, Key="decoy", Body=read(raw, where["Bucket"], "copy"))
    assert error_of(s3.get_object, Bucket=bucket, Key="decoy")[1] == 500
    s3.delete_object(Bucket=bucket, Key="decoy")
    assert_reads_back(s3, bucket, "copy", body)


def test_a_refused_copy_leaves_nothing(target, s3, bucket):
    # (RGW 16 ignores conditions on Complete: over it such a copy is read.)
    s3.put_object(Bucket=bucket, Key="k", Body=content(FIVE_MIB))
    s3.put_object(Bucket=bucket, Key="there", Body=b"x")
    copy = {"Bucket": bucket, "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert error_of(s3.copy_object, **copy, Key="there", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert read(s3, bucket, "there") == b"x"
    assert error_of(s3.copy_object, **{**copy, "Bucket": bucket + "-not"}, Key="k") == ("NoSuchBucket", 404)
    assert_no_upload_is_left(target, bucket)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_body_too_long_for_one_part_is_copied_in_several(target, s3, bucket, moves_nothing):
    """2.5 GiB: two parts of the backend's own (of 1 GiB, the last up to 2), whatever the client's were."""
    upload = Upload(s3, bucket)
    piece = content(64 * MIB) * 8
    for number in range(1, 6):
        upload.part(number, piece)
    upload.complete()
    upload.where = {"Bucket": bucket, "Key": "copy"}
    # The footer pads 160 bytes for every 5 MiB.
    with moves_nothing(2 * 512 * 160 + LITTLE):
        s3.copy_object(**upload.where, CopySource={"Bucket": bucket, "Key": "object"})
    for start in (0, 1024 * MIB - 5, 2048 * MIB - 5, 2560 * MIB - 100):
        got = s3.get_object(**upload.where, Range=f"bytes={start}-{start + 9}")["Body"].read()
        assert got == (piece[start % len(piece) :][:10] + piece)[:10]
    assert s3.head_object(**upload.where)["ContentLength"] == 5 * len(piece)
    for key in ("object", "copy"):
        s3.delete_object(Bucket=bucket, Key=key)
    assert_no_upload_is_left(target, bucket)
