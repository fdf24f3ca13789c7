"""A site that takes no upload into a bucket with object lock without a checksum, as AWS does: the proxy sends one, behind the bytes.

The site is LocalStack, which knows locks and checks trailers but asks for none; a door before it asks, in AWS's words.
"""

import datetime
import http.client
import http.server
import threading
import urllib.parse

import pytest
from common import localstack
from common.data import MIB, content
from conftest import new_bucket

REFUSAL = (
    b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
    b"requests with Object Lock parameters</Message></Error>"
)
SIZES = [0, 1, 5000, 70_000, 3 * MIB]


class Insisting(http.server.BaseHTTPRequestHandler):
    """Passes everything on but uploads without a checksum."""

    protocol_version = "HTTP/1.1"

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        is_upload = self.command == "PUT" and self.path.count("/") > 1 and "x-amz-copy-source" not in self.headers
        is_upload = is_upload and (not query or "partNumber" in query or "x-id" in query)
        locked = any(f"-{bucket}/" in self.path for bucket in self.server.locked)
        trailer = self.headers.get("x-amz-trailer", "")
        if is_upload and locked:
            self.server.seen.append((self.path, trailer))
            if not trailer.startswith("x-amz-checksum-") and "content-md5" not in self.headers:
                self._answer(400, {"content-type": "application/xml"}, REFUSAL)
                return
        origin = http.client.HTTPConnection(self.server.origin, timeout=60)
        origin.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
        answer = origin.getresponse()
        read = answer.read()
        self._answer(answer.status, dict(answer.getheaders()), read)
        origin.close()

    def _answer(self, status, headers, body):
        self.send_response_only(status)
        left_out = ("transfer-encoding", "connection", "content-length")
        length = next((value for name, value in headers.items() if name.lower() == "content-length"), len(body))
        for name, value in headers.items():
            if name.lower() not in left_out:
                self.send_header(name, value)
        self.send_header("content-length", str(length if self.command == "HEAD" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - the names are the base class's

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def door():
    """The door, open to LocalStack."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Insisting)
    server.origin = urllib.parse.urlsplit(localstack.site().endpoint).netloc
    server.locked, server.seen = set(), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def sites(door):
    """A primary and a backup, both behind it."""
    return [site.through(f"http://127.0.0.1:{door.server_address[1]}") for site in localstack.pair()]


def locked_bucket(s3, door, name):
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    door.locked.add(name)
    return name


def checked_at(sites, bucket, key):
    """The checksum that each site keeps."""
    kept = []
    for site in sites:
        head = site.s3().head_object(Bucket=site.raw_bucket(bucket), Key=key, ChecksumMode="ENABLED")
        kept.append(head.get("ChecksumCRC64NVME"))
    return kept


def test_uploads_into_a_locked_bucket_carry_a_checksum(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = locked_bucket(s3, door, "ledgers-locked")
    for size in SIZES:
        s3.put_object(Bucket=bucket, Key=f"k{size}", Body=content(size), ContentEncoding="gzip", Metadata={"a": "b"})
        got = s3.get_object(Bucket=bucket, Key=f"k{size}")
        assert got["Body"].read() == content(size) and got["ContentEncoding"] == "gzip" and got["Metadata"] == {"a": "b"}
        kept = checked_at(sites, bucket, f"k{size}")
        assert kept[0] and kept[0] == kept[1]
    lock = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    s3.put_object(Bucket=bucket, Key="own", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=lock)
    assert s3.head_object(Bucket=bucket, Key="own")["ObjectLockMode"] == "GOVERNANCE"
    assert len(door.seen) == 2 * (len(SIZES) + 1) and all(trailer for _, trailer in door.seen)


def test_parts_and_copies_into_a_locked_bucket_too(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = locked_bucket(s3, door, "papers-locked")
    body = content(12 * MIB)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(body), 5 * MIB), 1):
        piece = body[start : start + 5 * MIB]
        done = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "parts"})
    for key in ("parts", "copy"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert door.seen and all(trailer for _, trailer in door.seen)


def test_a_bucket_without_lock_is_written_as_ever(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    door.locked.add(bucket)
    # The door insists on what AWS would not: so it is seen that nothing was sent.
    with pytest.raises(s3.exceptions.ClientError, match="InvalidRequest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert door.seen and not any(trailer for _, trailer in door.seen)


def test_a_refusal_for_want_of_a_checksum_is_the_only_one(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="before", Body=b"x")
    door.locked.add(bucket)  # as if somebody else had put a lock on it
    with pytest.raises(s3.exceptions.ClientError, match="InvalidRequest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="k", Body=b"now it is known")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"now it is known"


def test_lock_that_is_put_on_later_counts_at_once(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="before", Body=b"x")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    door.locked.add(bucket)
    s3.put_object(Bucket=bucket, Key="after", Body=b"x")
    assert all(trailer for path, trailer in door.seen if "after" in path)
