"""Objects one by one: ranges, conditions, headers, metadata, overrides, deletes, copies."""

import datetime
import hashlib

import pytest
import requests
from common.data import FIVE_MIB, MIB, content
from common.sites import read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of

RANGED_SIZE = 5 * 16384 + 77
RANGES = {
    "first byte": ("bytes=0-0", 0, 1),
    "last of a chunk": ("bytes=16383-16383", 16383, 16384),
    "first of a chunk": ("bytes=16384-16384", 16384, 16385),
    "across chunks": ("bytes=16000-50000", 16000, 50001),
    "exactly a chunk": ("bytes=16384-32767", 16384, 32768),
    "open end": ("bytes=70000-", 70000, RANGED_SIZE),
    "suffix": ("bytes=-100", RANGED_SIZE - 100, RANGED_SIZE),
    "suffix longer than the object": ("bytes=-999999999", 0, RANGED_SIZE),
    "end past the end": ("bytes=81000-999999999", 81000, RANGED_SIZE),
    "everything": (f"bytes=0-{RANGED_SIZE - 1}", 0, RANGED_SIZE),
}


@pytest.mark.parametrize("header, start, end", RANGES.values(), ids=RANGES.keys())
def test_a_range_is_exactly_its_bytes(s3, bucket, header, start, end):
    whole = content(RANGED_SIZE)
    s3.put_object(Bucket=bucket, Key="k", Body=whole)
    got = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {start}-{end - 1}/{RANGED_SIZE}"
    assert got["ContentLength"] == end - start
    assert got["ETag"].strip('"') == hashlib.md5(whole).hexdigest()
    assert got["Body"].read() == whole[start:end]


@pytest.mark.parametrize("size, header", [(10, "bytes=10-"), (10, "bytes=10-20"), (10, "bytes=-0"), (0, "bytes=0-0")])
def test_a_range_that_selects_nothing_is_416(s3, bucket, size, header):
    s3.put_object(Bucket=bucket, Key="k", Body=content(size))
    assert error_of(s3.get_object, Bucket=bucket, Key="k", Range=header) == ("InvalidRange", 416)


@pytest.mark.parametrize("header", ["bytes=5-3", "bytes=a-b", "lines=1-2", "bytes=", "bytes=1-2,4-5"])
def test_a_malformed_range_is_the_whole_object(s3, bucket, header):
    """RFC 9110: what is no valid single range is ignored. S3 does so too, several ranges included."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()) == (200, b"0123456789")


def test_head_with_a_range_tells_its_length(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=content(100))
    head = s3.head_object(Bucket=bucket, Key="k", Range="bytes=10-19")
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (10, 206)


def test_put_answers_the_md5_and_everyone_agrees(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=content(MIB))
    expected = f'"{hashlib.md5(content(MIB)).hexdigest()}"'
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert put["ETag"] == s3.head_object(Bucket=bucket, Key="k")["ETag"] == listed["ETag"] == expected


def test_content_headers_come_back(s3, bucket):
    headers = {
        "ContentType": "application/pdf; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "zh-CN, en",
        "ContentDisposition": "attachment; filename*=UTF-8''%E8%B4%A6.pdf",
        "CacheControl": "private, max-age=60",
    }
    expires = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **headers)
    for seen in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {name: seen.get(name) for name in headers} == headers
        assert seen["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"


def test_without_a_content_type_it_is_binary(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_user_metadata_comes_back(s3, bucket):
    metadata = {"client": "4711", "empty": "", "spaces": "a b c", "symbols": "=?\"'\\;,<>&%+", "dash-ed": "x" * 500}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=metadata)
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == metadata


def test_unicode_metadata_in_rfc_2047_comes_back(s3, bucket):
    """HTTP headers are ASCII; SDKs for which Unicode matters encode it so, and S3 gives it back in that form."""
    encoded = "=?UTF-8?B?5oC76LSm?="
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"title": encoded})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"]["title"] in (encoded, "总账")


def test_too_much_metadata_is_refused(s3, bucket):
    code, status = error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "x" * 2100})
    assert (code, status) == ("MetadataTooLarge", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_response_overrides_are_given(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    wanted = {"ContentType": "application/x-test", "ContentDisposition": "inline", "CacheControl": "no-cache"}
    got = s3.get_object(Bucket=bucket, Key="k", **{f"Response{name}": value for name, value in wanted.items()})
    assert {name: got[name] for name in wanted} == wanted


def test_a_missing_object_is_no_such_key(s3, bucket):
    assert error_of(s3.get_object, Bucket=bucket, Key="nothing") == ("NoSuchKey", 404)
    assert error_of(s3.head_object, Bucket=bucket, Key="nothing") == ("404", 404)
    assert error_of(s3.get_object, Bucket=bucket + "-not", Key="k") == ("NoSuchBucket", 404)


def test_get_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    where = {"Bucket": bucket, "Key": "k"}
    modified = s3.head_object(**where)["LastModified"]
    before = modified - datetime.timedelta(hours=1)
    for call in (s3.get_object, s3.head_object):
        call(**where, IfMatch=etag)
        call(**where, IfNoneMatch='"other"')
        call(**where, IfModifiedSince=before)
        call(**where, IfUnmodifiedSince=modified)
        # RFC 9110 13.2.2: the entity tag decides when both are there.
        call(**where, IfMatch=etag, IfUnmodifiedSince=before)
        assert error_of(call, **where, IfMatch='"other"')[1] == 412
        assert error_of(call, **where, IfNoneMatch=etag) == ("304", 304)
        assert error_of(call, **where, IfNoneMatch="*") == ("304", 304)
        assert error_of(call, **where, IfModifiedSince=modified) == ("304", 304)
        assert error_of(call, **where, IfUnmodifiedSince=before)[1] == 412


def test_put_only_if_absent(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"first", IfNoneMatch="*")
    assert error_of(s3.put_object, **where, Body=b"second", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert read(s3, bucket, "k") == b"first"


def test_put_only_if_unchanged(target, s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    # As the primary does: S3 says the one, Ceph RADOS Gateway the other.
    absent = ("PreconditionFailed", 412) if target.backend.endswith("rgw") else ("NoSuchKey", 404)
    assert error_of(s3.put_object, **where, Body=b"x", IfMatch='"' + "0" * 32 + '"') == absent
    first = s3.put_object(**where, Body=b"first")["ETag"]
    second = s3.put_object(**where, Body=b"second", IfMatch=first)["ETag"]
    assert error_of(s3.put_object, **where, Body=b"third", IfMatch=first) == ("PreconditionFailed", 412)
    assert (read(s3, bucket, "k"), s3.head_object(**where)["ETag"]) == (b"second", second)


def test_delete_is_idempotent(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for _ in range(2):
        assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_many_are_deleted_at_once(s3, bucket):
    keys = [f"d/{number}" for number in range(30)] + ["d/总账 & <x>", "d/plus+"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    names = [{"Key": key} for key in [*keys, "d/never-there"]]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": names})
    assert {entry["Key"] for entry in answer["Deleted"]} == {name["Key"] for name in names}
    assert "Errors" not in answer and "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="quiet", Body=b"x")
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "quiet"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet


@pytest.mark.parametrize("character", ["&", "<", '"', "字"])
def test_a_thousand_of_the_longest_keys_are_deleted_at_once(s3, bucket, character):
    """The largest XML that S3 takes: most characters of these keys have to be escaped."""
    filler = character * (1020 // len(character.encode()))
    keys = [f"{filler}{number:04}" for number in range(1000)]
    for key in keys[:3]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert {entry["Key"] for entry in answer["Deleted"]} == set(keys)
    assert "Errors" not in answer and "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("size", [0, 1, 16385, FIVE_MIB + 1])
def test_a_copy_keeps_everything(s3, bucket, size):
    s3.put_object(
        Bucket=bucket, Key="源 +%20.bin", Body=content(size), ContentType="application/pdf", Metadata={"client": "4711"}
    )
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "源 +%20.bin"})
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert copied["CopyObjectResult"]["ETag"] == head["ETag"] == f'"{hashlib.md5(content(size)).hexdigest()}"'
    assert (head["ContentType"], head["Metadata"]) == ("application/pdf", {"client": "4711"})
    assert read(s3, bucket, "copy") == content(size)


def test_a_copy_may_replace_the_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=content(100), ContentType="text/a", Metadata={"old": "1"})
    source = {"Bucket": bucket, "Key": "k"}
    new = {"MetadataDirective": "REPLACE", "ContentType": "text/b", "Metadata": {"new": "2"}}
    for key in ("other", "k"):
        s3.copy_object(Bucket=bucket, Key=key, CopySource=source, **new)
        head = s3.head_object(Bucket=bucket, Key=key)
        assert (head["ContentType"], head["Metadata"]) == ("text/b", {"new": "2"})
        assert read(s3, bucket, key) == content(100)


def test_a_copy_onto_itself_must_change_something(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    code = error_of(s3.copy_object, Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"})
    assert code == ("InvalidRequest", 400)


def test_a_copy_of_nothing_is_no_such_key(s3, bucket):
    missing = {"Bucket": bucket, "Key": "missing"}
    assert error_of(s3.copy_object, Bucket=bucket, Key="k", CopySource=missing) == ("NoSuchKey", 404)
    elsewhere = {"Bucket": bucket + "-not", "Key": "k"}
    assert error_of(s3.copy_object, Bucket=bucket, Key="k", CopySource=elsewhere) == ("NoSuchBucket", 404)


def test_copy_conditions_look_at_the_plain_etag(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=content(100))["ETag"]
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}}
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    s3.copy_object(**copy, CopySourceIfNoneMatch='"other"')
    assert error_of(s3.copy_object, **copy, CopySourceIfMatch='"other"') == ("PreconditionFailed", 412)
    assert error_of(s3.copy_object, **copy, CopySourceIfNoneMatch=etag) == ("PreconditionFailed", 412)


def test_a_copy_between_buckets(s3, bucket):
    other = new_bucket(s3)
    s3.put_object(Bucket=other, Key="a/b", Body=content(20_000))
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": other, "Key": "a/b"})
    s3.delete_object(Bucket=other, Key="a/b")
    s3.delete_bucket(Bucket=other)
    assert read(s3, bucket, "c") == content(20_000)


def test_part_number_reads_one_part(s3, bucket):
    s3.put_object(Bucket=bucket, Key="single", Body=content(1000))
    got = s3.get_object(Bucket=bucket, Key="single", PartNumber=1)
    assert got["Body"].read() == content(1000)
    assert error_of(s3.get_object, Bucket=bucket, Key="single", PartNumber=2)[1] == 416


def test_keys_of_1024_bytes(s3, bucket):
    longest = "ключ/" * 113 + "k" * 7
    assert len(longest.encode()) == 1024
    s3.put_object(Bucket=bucket, Key=longest, Body=b"long")
    assert read(s3, bucket, longest) == b"long"
    assert error_of(s3.put_object, Bucket=bucket, Key=longest + "x", Body=b"x") == ("KeyTooLongError", 400)


def presigned(target, operation, seconds=300, **where) -> str:
    """A V4 URL; boto3's default in us-east-1 is still V2, which S3 refuses for buckets made since 2020."""
    return target.s3(signature_version="s3v4").generate_presigned_url(operation, where, ExpiresIn=seconds)


def trust_of(target):
    """The `verify` of requests."""
    return str(target.ca) if target.ca else None


def test_a_presigned_put_stores_what_is_sent(target, s3, bucket):
    url = presigned(target, "put_object", Bucket=bucket, Key="presigned 总账")
    answer = requests.put(url, data=content(70_000), verify=trust_of(target), timeout=30)
    assert answer.status_code == 200
    assert answer.headers["ETag"].strip('"') == hashlib.md5(content(70_000)).hexdigest()
    assert read(s3, bucket, "presigned 总账") == content(70_000)


def test_a_presigned_url_serves_ranges_and_heads(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=content(50_000))
    url = presigned(target, "get_object", Bucket=bucket, Key="k")
    piece = requests.get(url, headers={"Range": "bytes=100-199"}, verify=trust_of(target), timeout=30)
    assert (piece.status_code, piece.content) == (206, content(50_000)[100:200])
    # A URL is signed for one method.
    assert requests.put(url, data=b"x", verify=trust_of(target), timeout=30).status_code == 403


def test_a_presigned_url_cannot_be_changed(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = presigned(target, "get_object", Bucket=bucket, Key="k")
    for changed in (url.replace("X-Amz-Expires=300", "X-Amz-Expires=301"), url.replace("/k?", "/l?"), url[:-1] + ("0" if url[-1] != "0" else "1")):
        answer = requests.get(changed, verify=trust_of(target), timeout=30)
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)


def test_a_presigned_url_runs_out(target, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = presigned(target, "get_object", seconds=1, Bucket=bucket, Key="k")
    said = until(lambda: _refusal(url, target), "the URL has run out", 15, every=0.3)
    assert "AccessDenied" in said and "expired" in said


def _refusal(url, target) -> str | None:
    answer = requests.get(url, verify=trust_of(target), timeout=30)
    return answer.text if answer.status_code == 403 else None


def test_a_fallen_apart_body_does_not_overwrite(s3, bucket):
    """A failed write leaves the old object as it was."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    wrong = "1B2M2Y8AsgTpgAmY7PhCfg=="
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"new", ContentMD5=wrong) == ("BadDigest", 400)
    assert read(s3, bucket, "k") == b"old"
