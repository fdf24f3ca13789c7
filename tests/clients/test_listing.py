"""Listings, version 1 and 2: pages, prefixes, delimiters, encodings, sizes; and buckets."""

import concurrent.futures
import hashlib

import pytest
from common.data import FIVE_MIB, content
from conftest import new_bucket
from s3errors import error_of

KEYS = [
    "a.txt",
    "clients/4711/2025/one.pdf",
    "clients/4711/2025/two.pdf",
    "clients/4711/2026/three.pdf",
    "clients/4712/four.pdf",
    "clients-old/five.pdf",
    "凭证/六.pdf",
    "z with space+plus%25&<x>.txt",
]


@pytest.fixture
def filled(s3, bucket):
    """A bucket with KEYS, each of another size."""
    for size, key in enumerate(KEYS):
        s3.put_object(Bucket=bucket, Key=key, Body=content(size))
    return bucket


def test_keys_come_in_byte_order_with_plain_sizes_and_etags(s3, filled):
    for entries in (s3.list_objects_v2(Bucket=filled)["Contents"], s3.list_objects(Bucket=filled)["Contents"]):
        assert [entry["Key"] for entry in entries] == sorted(KEYS, key=str.encode)
        for entry in entries:
            size = KEYS.index(entry["Key"])
            assert entry["Size"] == size
            assert entry["ETag"].strip('"') == hashlib.md5(content(size)).hexdigest()
            assert entry["StorageClass"] == "STANDARD"


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8, 9])
def test_pages_join_to_the_whole(s3, filled, page):
    for version in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(version).paginate(Bucket=filled, PaginationConfig={"PageSize": page}))
        keys = [entry["Key"] for part in pages for entry in part.get("Contents", [])]
        assert keys == sorted(KEYS, key=str.encode), version
        assert all(len(part.get("Contents", [])) <= page for part in pages)


def test_a_delimiter_folds(s3, filled):
    for call in (s3.list_objects_v2, s3.list_objects):
        top = call(Bucket=filled, Delimiter="/")
        assert [entry["Prefix"] for entry in top["CommonPrefixes"]] == ["clients-old/", "clients/", "凭证/"]
        assert [entry["Key"] for entry in top["Contents"]] == ["a.txt", KEYS[-1]]
        inner = call(Bucket=filled, Delimiter="/", Prefix="clients/4711/")
        assert [entry["Prefix"] for entry in inner["CommonPrefixes"]] == ["clients/4711/2025/", "clients/4711/2026/"]
        assert "Contents" not in inner


@pytest.mark.parametrize("page", [1, 2, 3])
def test_folded_pages_join_to_the_whole(s3, filled, page):
    for version in ("list_objects_v2", "list_objects"):
        settings = {"PageSize": page}
        parts = s3.get_paginator(version).paginate(Bucket=filled, Delimiter="/", PaginationConfig=settings)
        seen = []
        for part in parts:
            seen += [entry["Prefix"] for entry in part.get("CommonPrefixes", [])]
            seen += [entry["Key"] for entry in part.get("Contents", [])]
        assert sorted(seen) == sorted(["clients-old/", "clients/", "凭证/", "a.txt", KEYS[-1]]), version


def test_a_prefix_selects(s3, filled):
    found = s3.list_objects_v2(Bucket=filled, Prefix="clients/4711/2025/")
    assert [entry["Key"] for entry in found["Contents"]] == KEYS[1:3]
    assert (found["KeyCount"], found["IsTruncated"], found["Prefix"]) == (2, False, "clients/4711/2025/")
    assert "Contents" not in s3.list_objects_v2(Bucket=filled, Prefix="nothing")


def test_start_after_and_marker(s3, filled):
    v2 = s3.list_objects_v2(Bucket=filled, StartAfter="clients/4711/2025/two.pdf")
    v1 = s3.list_objects(Bucket=filled, Marker="clients/4711/2025/two.pdf")
    expected = sorted(KEYS, key=str.encode)
    expected = expected[expected.index("clients/4711/2025/two.pdf") + 1 :]
    assert [entry["Key"] for entry in v2["Contents"]] == [entry["Key"] for entry in v1["Contents"]] == expected


def test_encoding_type_url(s3, filled):
    # boto3 decodes by itself only when it asked by itself.
    for call in (s3.list_objects_v2, s3.list_objects):
        raw = call(Bucket=filled, EncodingType="url", Prefix="z")
        assert raw["EncodingType"] == "url"
        assert raw["Contents"][0]["Key"].replace("+", "%20") == "z%20with%20space%2Bplus%2525%26%3Cx%3E.txt"


def test_max_keys_zero_is_an_empty_page(s3, filled):
    page = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_a_listing_has_at_most_1000_keys(target, s3, bucket):
    if target.tls:
        pytest.skip("once is enough: HTTP")
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda number: s3.put_object(Bucket=bucket, Key=f"{number:04}", Body=b""), range(1003)))
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (first["KeyCount"], first["MaxKeys"], first["IsTruncated"]) == (1000, 1000, True)
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert [entry["Key"] for entry in rest["Contents"]] == ["1000", "1001", "1002"]


def test_a_wrong_continuation_token_is_refused(s3, filled):
    code, status = error_of(s3.list_objects_v2, Bucket=filled, ContinuationToken="nonsense")
    assert (code, status) == ("InvalidArgument", 400)


def test_sizes_of_multipart_objects_are_plain(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    parts = []
    for number, size in enumerate((FIVE_MIB, FIVE_MIB + 1, 3), start=1):
        body = content(size, number)
        part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    whole = {"Parts": parts}
    done = s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=whole)
    entry = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (2 * FIVE_MIB + 4, done["ETag"])


# --- buckets


def test_a_bucket_lives_from_create_to_delete(target, s3):
    name = new_bucket(s3)
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    for site in target.sites:
        site.s3().head_bucket(Bucket=site.raw_bucket(name))
    s3.delete_bucket(Bucket=name)
    assert error_of(s3.head_bucket, Bucket=name) == ("404", 404)
    assert error_of(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)
    for site in target.sites:
        assert error_of(site.s3().head_bucket, Bucket=site.raw_bucket(name))[1] == 404


def test_a_full_bucket_is_not_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert error_of(s3.delete_bucket, Bucket=bucket) == ("BucketNotEmpty", 409)


def test_us_east_1_is_told_as_null(s3, bucket):
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


@pytest.mark.parametrize("name", ["UPPER-case", "has_underscore", "ends-", "a..b", "192.168.10.1"])
def test_bad_bucket_names_are_refused(s3, name):
    # boto3's own check would hide ours.
    s3.meta.events.unregister("before-parameter-build.s3", _botocore_check())
    code, status = error_of(s3.create_bucket, Bucket=name)
    assert (code, status) == ("InvalidBucketName", 400)


def _botocore_check():
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name


def test_the_system_bucket_is_out_of_reach(target, s3):
    if not target.proxy:
        pytest.skip("looks behind the proxy")
    system = target.proxy.settings.system_bucket
    assert system not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    for call in (s3.list_objects_v2, s3.delete_bucket):
        assert error_of(call, Bucket=system)[1] in (403, 404)
    assert error_of(s3.put_object, Bucket=system, Key="k", Body=b"x")[1] in (403, 404)
    source = {"Bucket": system, "Key": "keyring"}
    assert error_of(s3.copy_object, Bucket=system, Key="k", CopySource=source)[1] in (403, 404)
