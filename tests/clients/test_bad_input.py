"""Requests that are wrong in their head or their XML: each gets the S3 error an SDK expects and one line in the log,
leaves no object, and never a panic. Bodies that are wrong: test_bad_bodies.py."""

import base64
import datetime
import hashlib
import urllib.parse

import pytest
import requests
from common import audit
from common.wire import EMPTY_SHA256, UNSIGNED, Signer, Wire
from conftest import new_bucket
from watch import Watch


@pytest.fixture
def bucket(shared):
    """A bucket that must be empty at the end."""
    s3 = shared.s3()
    name = new_bucket(s3)
    yield name
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    audit.sites_are_empty(shared, name)
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def wire(shared, bucket):
    """Raw requests with the right credential."""
    return Wire(shared)


@pytest.fixture
def watch(shared, bucket):
    """From here on every request counts."""
    return Watch(shared)


# --- who is asking


def test_anonymous_is_denied(wire, watch, bucket):
    for method, path in (("GET", "/"), ("GET", f"/{bucket}"), ("PUT", f"/{bucket}/k"), ("DELETE", f"/{bucket}/k")):
        watch.refused(wire.send(method, path, sign=False), 403, "AccessDenied")


def test_an_unknown_key_is_told(shared, watch, bucket):
    stranger = Wire(shared, Signer("AKNOBODY00000000", "x" * 40))
    watch.refused(stranger.send("PUT", f"/{bucket}/k", b"x"), 403, "InvalidAccessKeyId")


def test_a_wrong_secret_is_told(shared, watch, bucket):
    thief = Wire(shared, Signer(shared.access_key_id, "x" * 40))
    watch.refused(thief.send("PUT", f"/{bucket}/k", b"x"), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("minutes", [-60, -16, 16, 60 * 24 * 365])
def test_a_skewed_clock_is_told(shared, watch, bucket, minutes):
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    late = Wire(shared, Signer(shared.access_key_id, shared.secret_access_key, now=now))
    watch.refused(late.send("PUT", f"/{bucket}/k", b"x"), 403, "RequestTimeTooSkewed")


def test_any_region_may_be_signed_for(shared, watch, bucket):
    """docs/SEMANTICS.md: clients keep the region they were set to."""
    abroad = Wire(shared, Signer(shared.access_key_id, shared.secret_access_key, region="mars-north-1"))
    assert abroad.send("GET", f"/{bucket}").status == 200
    watch.record()


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=zz",
        "AWS4-HMAC-SHA256 " + "A" * 4000,
        "Bearer abc",
        "Basic dXNlcjpwYXNz",
        "AWS a:b",
        "\u00e9",
    ],
)
def test_a_malformed_authorization_is_refused(wire, watch, bucket, value):
    headers = {"Authorization": value, "x-amz-date": wire.signer.time(), "x-amz-content-sha256": EMPTY_SHA256}
    answer = wire.send("PUT", f"/{bucket}/k", headers=headers, sign=False)
    assert answer.status in (400, 403), answer
    codes = ("AuthorizationHeaderMalformed", "InvalidArgument", "InvalidRequest", "AccessDenied", "InvalidAccessKeyId")
    watch.refused(answer, answer.status, *codes)


def test_a_changed_header_breaks_the_signature(wire, watch, bucket):
    head = wire.head("PUT", f"/{bucket}/k", headers={"x-amz-meta-a": "1", "Content-Length": "0"})
    watch.refused(wire.raw(head.replace(b"x-amz-meta-a: 1", b"x-amz-meta-a: 2")), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "header",
    [
        ("x-amz-copy-source", "/{bucket}/secret"),
        ("x-amz-meta-planted", "1"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-acl", "public-read"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-server-side-encryption", "aws:kms"),
    ],
    ids=lambda header: header[0],
)
def test_an_unsigned_amz_header_on_a_presigned_url_is_refused(shared, watch, bucket, header):
    """Trap 16: the holder of a URL must not steer the server with headers the signer never saw."""
    s3 = shared.s3(signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    answer = requests.put(url, data=b"", headers={header[0]: header[1].format(bucket=bucket)}, timeout=30)
    assert answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text, answer.text
    assert watch.record()["error_code"] == "AccessDenied"


def test_a_presigned_url_lasts_a_week_at_most(shared, watch, bucket):
    s3 = shared.s3(signature_version="s3v4")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=604801)
    answer = requests.get(url, timeout=30)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True), answer.text
    watch.record()


def test_signature_version_2_is_served_but_not_beyond_what_it_covers(shared, watch, bucket):
    """boto3 makes such URLs by default in us-east-1."""
    url = shared.s3(signature_version="s3").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    shared.s3().put_object(Bucket=bucket, Key="k", Body=b"whole")
    assert requests.get(url, timeout=30).content == b"whole"
    assert watch.record(2)["status"] == "200"
    for changed in (url + "&retention", url.replace("/k?", "/other?"), url + "&acl"):
        answer = requests.get(changed, timeout=30)
        assert answer.status_code == 403, f"{changed}: {answer.text}"
        assert watch.record()["error_code"] in ("AccessDenied", "SignatureDoesNotMatch")
    shared.s3().delete_object(Bucket=bucket, Key="k")


def test_signature_version_2_can_be_switched_off(pool, start_proxy):
    proxy = start_proxy(pool.sites("embedded"), listen={"allow_signature_v2": False})
    url = proxy.s3(signature_version="s3").generate_presigned_url("get_object", {"Bucket": "any", "Key": "k"})
    answer = requests.get(url, timeout=30)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True), answer.text


# --- what is asked for


@pytest.mark.parametrize("length", [1025, 2000, 7000])
def test_a_key_that_is_too_long_is_refused(wire, watch, bucket, length):
    watch.refused(wire.send("PUT", f"/{bucket}/{'k' * length}", b"x"), 400, "KeyTooLongError")


@pytest.mark.parametrize("name", ["..", ".", "ab", "A" * 10, "a" * 64, "a_b", "%2e%2e", "a%00b", "a%2fb..", "-abc"])
def test_a_bad_bucket_name_is_refused(wire, watch, name):
    answer = wire.send("PUT", f"/{name}")
    # What a URL parser takes for "/" or "a/b.." is another request; it must be refused all the same.
    codes = ("InvalidBucketName", "MethodNotAllowed", "NoSuchBucket", "InvalidURI")
    assert answer.status in (400, 404, 405), answer
    watch.refused(answer, answer.status, *codes)


@pytest.mark.parametrize(
    "key", ["../k", "../../../../tmp/k", "a/../k", "a/../../k", "./k", "a/./k", "..", "a//k", "/k"]
)
def test_dots_and_slashes_in_keys_are_taken_literally_or_refused(shared, wire, watch, bucket, key):
    """Never normalised: a key must not become another key, let alone another bucket or a path on disk."""
    s3 = shared.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"untouched")
    watch.record()
    path = f"/{bucket}/{urllib.parse.quote(key, safe='/')}"
    put = wire.send("PUT", path, b"other")
    watch.record()
    if put.status == 200:
        got = wire.send("GET", path)
        assert (got.status, got.body) == (200, b"other")
        assert {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {"k", key}
        assert wire.send("DELETE", path).status == 204
    else:
        assert put.status == 400 and put.code in ("InvalidURI", "InvalidArgument", "KeyTooLongError"), put
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"untouched"
    s3.delete_object(Bucket=bucket, Key="k")
    watch.alive()


@pytest.mark.parametrize("escape", ["%00", "%01", "%0A", "%0D%0A", "%1F", "%7F", "%22", "%C2%80", "%E2%80%AE"])
def test_control_characters_in_keys_forge_nothing(shared, wire, watch, bucket, escape):
    """Stored literally or refused; in the log they are always percent-encoded."""
    path = f"/{bucket}/a{escape}b"
    put = wire.send("PUT", path, b"x")
    record = watch.record()
    assert put.status in (200, 400), put
    assert not any(ord(character) < 0x20 or ord(character) == 0x7F for line in record.values() for character in line)
    if put.status == 200:
        assert wire.send("GET", path).body == b"x"
        listed = wire.send("GET", f"/{bucket}", query={"list-type": "2", "encoding-type": "url"})
        assert urllib.parse.unquote_plus(f"a{escape}b") in urllib.parse.unquote_plus(listed.body.decode())
        assert wire.send("DELETE", path).status == 204


@pytest.mark.parametrize("path", ["/{}/a%FFb", "/{}/%C3%28", "/{}/%ED%A0%80"])
def test_keys_that_are_not_utf_8_are_refused(wire, watch, bucket, path):
    watch.refused(wire.send("PUT", path.format(bucket), b"x"), 400, "InvalidURI", "InvalidArgument")


@pytest.mark.parametrize("path", ["/{}/a%zz", "/{}/a%", "/{}/a%4"])
def test_broken_escapes_never_hurt(wire, watch, bucket, path):
    answer = wire.send("GET", path.format(bucket))
    assert answer.status in (400, 403, 404), answer
    watch.record()


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\x0b", b"\x7f", b"\r", b"\n"])
def test_control_characters_in_headers_are_refused(wire, shared, bucket, byte):
    head = wire.head("PUT", f"/{bucket}/k", headers={"x-amz-meta-a": "1", "Content-Length": "1"}, payload=UNSIGNED)
    answer = wire.raw(head.replace(b"x-amz-meta-a: 1", b"x-amz-meta-a: 1" + byte + b"2") + b"x")
    assert answer.status in (400, 403), answer
    Watch(shared).alive()


def test_response_overrides_cannot_split_the_response(shared, wire, bucket):
    s3 = shared.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    query = {"response-content-disposition": "a\r\nX-Planted: 1", "response-content-type": "text/html\n\nx"}
    answer = wire.send("GET", f"/{bucket}/k", query=query)
    assert answer.status == 400 and "X-Planted" not in answer.headers, answer
    s3.delete_object(Bucket=bucket, Key="k")


def test_headers_that_are_too_many_are_refused(wire, shared, bucket):
    headers = {f"x-amz-meta-{number}": "x" * 100 for number in range(3000)}
    try:
        answer = wire.send("PUT", f"/{bucket}/k", headers=headers)
        assert answer.status in (400, 431), answer
    except (ConnectionError, OSError):
        pass  # Closing is as good.
    Watch(shared).alive()


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize(
    "sub", "acl tagging torrent retention legal-hold policy lifecycle website cors replication encryption".split()
)
def test_what_we_do_not_serve_is_said_and_touches_nothing(shared, wire, watch, bucket, method, sub):
    """An unknown sub-resource must not fall through to the object operation."""
    s3 = shared.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"untouched")
    watch.record()
    answer = wire.send(method, f"/{bucket}/k", b"<x/>" if method == "PUT" else b"", query={sub: ""}, raw_query=sub)
    assert answer.status >= 400, answer
    watch.record()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"untouched"
    s3.delete_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("wrong", ["algorithm", "key", "key-MD5"])
def test_half_a_customers_key_is_refused(wire, watch, bucket, wrong):
    headers = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "x-amz-server-side-encryption-customer-key-MD5": "hRasmdxgYDKV3nvbahU1MA==",
    }
    del headers[f"x-amz-server-side-encryption-customer-{wrong}"]
    watch.refused(wire.send("PUT", f"/{bucket}/k", b"x", headers=headers), 400, "InvalidArgument")


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "CONNECT", "FOO", "PROPFIND"])
def test_unknown_methods_are_refused(wire, shared, bucket, method):
    answer = wire.send(method, f"/{bucket}/k")
    assert answer.status in (400, 403, 405, 501), answer
    Watch(shared).alive()


# --- XML

BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><Delete><Object><Key>&a9;</Key></Object></Delete>"
).encode()
EXTERNAL_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<Delete><Object><Key>&x;</Key></Object></Delete>"
)
XML_BOMBS = {
    "billion laughs": BILLION_LAUGHS,
    "external entity": EXTERNAL_ENTITY,
    "deep nesting": b"<Delete>" + b"<a>" * 200_000,
    "deep and closed": b"<Delete>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</Delete>",
    "no XML": b"hello",
    "empty": b"",
    "cut off": b"<Delete><Object><Key>k</Key>",
    "not UTF-8": b"<Delete><Object><Key>\xff\xfe</Key></Object></Delete>",
    "wrong root": b"<Other><Object><Key>k</Key></Object></Other>",
    "1,001 keys": b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
    "many attributes": b"<Delete " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>",
}


def _with_md5(body: bytes) -> dict:
    return {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}


@pytest.mark.parametrize("body", XML_BOMBS.values(), ids=XML_BOMBS.keys())
def test_xml_bombs_in_delete_are_malformed_xml(wire, watch, bucket, body):
    answer = wire.send("POST", f"/{bucket}", body, query={"delete": ""}, headers=_with_md5(body))
    assert answer.status == 400, answer
    watch.refused(answer, 400, "MalformedXML", "MissingRequestBodyError", "MissingRequestBody")


@pytest.mark.parametrize("name", ["billion laughs", "deep nesting", "no XML", "cut off", "not UTF-8"])
def test_xml_bombs_in_complete_are_malformed_xml(shared, wire, watch, bucket, name):
    s3 = shared.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    watch.record()
    answer = wire.send("POST", f"/{bucket}/k", XML_BOMBS[name], query={"uploadId": upload})
    watch.refused(answer, 400, "MalformedXML")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)


def test_xml_that_is_too_big_is_refused_early(wire, watch, bucket):
    body = b"<Delete>" + b"<Object><Key>" + b"k" * 1000 + b"</Key></Object>" * 1 + b" " * (40 << 20) + b"</Delete>"
    answer = wire.send("POST", f"/{bucket}", body, query={"delete": ""}, headers=_with_md5(body))
    assert answer.status in (400, 413), answer
    watch.refused(answer, answer.status, "MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge")


def test_a_wrong_hash_of_xml_is_400(wire, watch, bucket):
    """s3s makes a 500 of it: ours to mend."""
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = wire.send("POST", f"/{bucket}", body, query={"delete": ""}, headers=_with_md5(body), payload="0" * 64)
    watch.refused(answer, 400, "XAmzContentSHA256Mismatch", "BadDigest")


def test_an_error_tells_its_request_id_and_resource(shared, wire, watch, bucket):
    """Every error tells its request id, in the header and in the body."""
    answer = wire.send("GET", f"/{bucket}/missing")
    assert answer.code == "NoSuchKey"
    assert f"<RequestId>{answer.request_id}</RequestId>" in answer.body.decode()
    assert f"<Resource>/{bucket}/missing</Resource>" in answer.body.decode()
    watch.record()
