"""What a client says about its bytes is checked before the object becomes visible; what is wrong leaves nothing."""

import base64
import hashlib

import pytest
from common import audit
from common.checksums import ALGORITHMS
from common.data import FIVE_MIB, content
from common.sites import read
from common.wire import UNSIGNED, UNSIGNED_TRAILER, Wire
from s3errors import error_of

WRONG = {name: of(b"something else") for name, of in ALGORITHMS.items()}
every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)


@pytest.fixture
def nothing_left(target, bucket):
    """At the end neither clients nor sites see anything of the bucket."""
    yield
    assert "Contents" not in target.s3().list_objects_v2(Bucket=bucket)
    audit.sites_are_empty(target, bucket)


@every_algorithm
@pytest.mark.parametrize("size", [0, 1, 16384, 70_001])
def test_an_sdks_checksum_is_accepted_and_given_back(s3, bucket, name, size):
    """boto3 sends a header over plain HTTP and a trailer over TLS."""
    put = s3.put_object(Bucket=bucket, Key="k", Body=content(size), ChecksumAlgorithm=name)
    expected = ALGORITHMS[name](content(size))
    assert put[f"Checksum{name}"] == expected
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got[f"Checksum{name}"]) == (content(size), expected)
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[f"Checksum{name}"] == expected
    assert f"Checksum{name}" not in s3.head_object(Bucket=bucket, Key="k")


@every_algorithm
def test_a_right_checksum_in_a_header_is_accepted(s3, bucket, name):
    s3.put_object(
        Bucket=bucket, Key="k", Body=content(70_001), **{f"Checksum{name}": ALGORITHMS[name](content(70_001))}
    )
    assert read(s3, bucket, "k") == content(70_001)


@every_algorithm
@pytest.mark.parametrize("size", [0, 1, 70_001])
def test_a_wrong_checksum_in_a_header_leaves_nothing(s3, bucket, nothing_left, name, size):
    wrong = {f"Checksum{name}": WRONG[name]}
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=content(size), **wrong) == ("BadDigest", 400)


@every_algorithm
def test_a_malformed_checksum_is_refused(s3, bucket, nothing_left, name):
    code, status = error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **{f"Checksum{name}": "bm9wZQ"})
    assert (code, status) == ("InvalidRequest", 400)


def trailer_put(target, path, body, name, value, *, declared=None, cut=None, announce=True):
    """An aws-chunked PUT whose checksum comes as an unsigned trailer, as SDKs send it over TLS."""
    header = f"x-amz-checksum-{name.lower()}"
    framed = b"".join(
        f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        for piece in (body[start : start + 65536] for start in range(0, len(body), 65536))
    )
    framed += f"0\r\n{header}:{value}\r\n\r\n".encode()
    headers = {
        "Content-Encoding": "aws-chunked",
        "Content-Length": str(len(framed)),
        "x-amz-decoded-content-length": str(len(body) if declared is None else declared),
    }
    if announce:
        headers["x-amz-trailer"] = header
    wire = Wire(target)
    head = wire.head("PUT", path, headers=headers, payload=UNSIGNED_TRAILER)
    return wire.raw(head + framed[:cut], "PUT", close=cut is not None)


@every_algorithm
@pytest.mark.parametrize("size", [0, 1, 70_001])
def test_a_right_trailer_is_accepted(target, s3, bucket, name, size):
    answer = trailer_put(target, f"/{bucket}/k", content(size), name, ALGORITHMS[name](content(size)))
    assert answer.status == 200, answer
    assert read(s3, bucket, "k") == content(size)
    # The framing's encoding is not the object's.
    assert s3.head_object(Bucket=bucket, Key="k").get("ContentEncoding", "") == ""


@every_algorithm
@pytest.mark.parametrize("size", [0, 70_001])
def test_a_wrong_trailer_leaves_nothing(target, bucket, nothing_left, name, size):
    answer = trailer_put(target, f"/{bucket}/k", content(size), name, WRONG[name])
    assert (answer.status, answer.code) == (400, "BadDigest")


def test_a_wrong_decoded_length_leaves_nothing(target, bucket, nothing_left):
    right = ALGORITHMS["CRC32"](content(1000))
    for declared in (999, 1001):
        answer = trailer_put(target, f"/{bucket}/k", content(1000), "CRC32", right, declared=declared)
        assert answer.status == 400, (declared, answer)


def test_a_wrong_content_md5_leaves_nothing(s3, bucket, nothing_left):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for size in (0, 1, FIVE_MIB):
        refused = error_of(s3.put_object, Bucket=bucket, Key="k", Body=content(size), ContentMD5=wrong)
        assert refused == ("BadDigest", 400)
    assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="short") == ("InvalidDigest", 400)


def test_a_right_content_md5_is_accepted(s3, bucket):
    right = base64.b64encode(hashlib.md5(content(70_001)).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=content(70_001), ContentMD5=right)
    assert read(s3, bucket, "k") == content(70_001)


@pytest.mark.parametrize("size", [1, 70_001, FIVE_MIB])
def test_a_wrong_payload_hash_leaves_nothing(target, bucket, nothing_left, size):
    answer = Wire(target).send("PUT", f"/{bucket}/k", content(size), payload=hashlib.sha256(b"other").hexdigest())
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")


def test_an_unsigned_payload_is_accepted(target, s3, bucket):
    assert Wire(target).send("PUT", f"/{bucket}/k", content(70_001), payload=UNSIGNED).status == 200
    assert read(s3, bucket, "k") == content(70_001)


@pytest.mark.parametrize("sizes", [[65536, 65536, 1], [8192], [1_000_000], []], ids=str)
def test_signed_chunks_are_accepted(target, s3, bucket, sizes):
    chunks = [content(size, seed) for seed, size in enumerate(sizes)]
    answer = Wire(target).chunked(f"/{bucket}/k", chunks)
    assert answer.status == 200, answer
    assert read(s3, bucket, "k") == b"".join(chunks)


# --- multipart


@every_algorithm
def test_a_part_with_a_wrong_checksum_is_refused(s3, bucket, name):
    # SHA-1 and SHA-256 have no full-object form; all have the composite one but CRC64NVME.
    kind = "FULL_OBJECT" if name == "CRC64NVME" else "COMPOSITE"
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm=name, ChecksumType=kind)["UploadId"]
    where["UploadId"] = upload
    wrong = {f"Checksum{name}": WRONG[name]}
    assert error_of(s3.upload_part, **where, PartNumber=1, Body=b"x", **wrong) == ("BadDigest", 400)
    assert "Parts" not in s3.list_parts(**where)
    s3.abort_multipart_upload(**where)


@every_algorithm
def test_a_multipart_object_has_the_checksum_asked_for(s3, bucket, name):
    kind = "FULL_OBJECT" if name == "CRC64NVME" else "COMPOSITE"
    where = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**where, ChecksumAlgorithm=name, ChecksumType=kind)["UploadId"]
    bodies, parts = [content(FIVE_MIB, 1), content(1000, 2)], []
    for number, body in enumerate(bodies, start=1):
        part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm=name)
        assert part[f"Checksum{name}"] == ALGORITHMS[name](body)
        parts.append({"PartNumber": number, "ETag": part["ETag"], f"Checksum{name}": part[f"Checksum{name}"]})
    done = s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    if kind == "FULL_OBJECT":
        expected = ALGORITHMS[name](b"".join(bodies))
    else:
        digests = b"".join(base64.b64decode(ALGORITHMS[name](body)) for body in bodies)
        expected = f"{ALGORITHMS[name](digests)}-2"
    assert done[f"Checksum{name}"] == expected
    head = s3.head_object(**where, ChecksumMode="ENABLED")
    assert (head[f"Checksum{name}"], head["ChecksumType"]) == (expected, kind)


def test_complete_with_a_wrong_part_checksum_is_refused(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    where["UploadId"] = s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")["UploadId"]
    part = s3.upload_part(**where, PartNumber=1, Body=b"abc", ChecksumAlgorithm="CRC32")
    without = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert error_of(s3.complete_multipart_upload, **where, MultipartUpload=without) == ("InvalidRequest", 400)
    wrong = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": WRONG["CRC32"]}]}
    assert error_of(s3.complete_multipart_upload, **where, MultipartUpload=wrong) == ("InvalidPart", 400)
    s3.abort_multipart_upload(**where)
