"""A site that takes no upload into a bucket with object lock without a checksum, as AWS does: the proxy sends one, behind the bytes.

The site is LocalStack, which knows locks and checks trailers but asks for none; a door before it asks, in AWS's words.
"""

import datetime
import urllib.parse

import pytest
from common import localstack
from common.data import MIB, content
from common.door import XML, Door
from conftest import new_bucket

# Of versitygw, which wants them although the checksum is one over the whole object.
WANTS_SUMS = (
    b"<Error><Code>InvalidRequest</Code><Message>The upload was created using a crc64nvme checksum. The complete request must include the "
    b"checksum for each part. It was missing for part 1 in the request.</Message></Error>"
)
REFUSAL = (
    b"<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
    b"requests with Object Lock parameters</Message></Error>"
)
SIZES = [0, 1, 5000, 70_000, 3 * MIB]


class Insisting:
    """Refuses uploads into locked buckets without a checksum."""

    def __init__(self):
        self.locked, self.seen = set(), []
        # Whether the end of an upload has to name the checksums of its parts.
        self.wants_sums, self.ends = False, []

    def __call__(self, command, path, headers, body):
        if self.wants_sums and command == "POST" and b"<CompleteMultipartUpload" in body:
            self.ends.append(body.count(b"<ChecksumCRC64NVME>"))
            return None if self.ends[-1] else (400, XML, WANTS_SUMS)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query, keep_blank_values=True)
        is_upload = command == "PUT" and path.count("/") > 1 and "x-amz-copy-source" not in headers
        is_upload = is_upload and (not query or "partNumber" in query or "x-id" in query)
        if not is_upload or not any(f"-{bucket}/" in path for bucket in self.locked):
            return None
        trailer = headers.get("x-amz-trailer", "")
        self.seen.append((path, trailer))
        has_checksum = trailer.startswith("x-amz-checksum-") or "content-md5" in headers
        return None if has_checksum else (400, XML, REFUSAL)


@pytest.fixture
def door():
    """What stands in the door of LocalStack."""
    insisting = Insisting()
    with Door(localstack.site().endpoint, insisting) as door:
        insisting.endpoint = door.endpoint
        yield insisting


@pytest.fixture
def sites(door):
    """A primary and a backup, both behind it."""
    return [site.through(door.endpoint) for site in localstack.pair()]


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


def test_a_site_that_wants_the_checksums_of_parts_is_told_them(start_proxy, sites, door):
    s3 = start_proxy(sites).s3(retries={"total_max_attempts": 1})
    bucket = locked_bucket(s3, door, "summed-locked")
    door.wants_sums = True
    body = content(6 * MIB)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=n, Body=b)["ETag"]}
        for n, b in ((1, body[: 5 * MIB]), (2, body[5 * MIB :]))
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    # At either site: without, and then with one for each part that it has.
    assert sorted(door.ends) == [0, 0, 2, 2]


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
