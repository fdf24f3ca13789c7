"""The AWS SDK for JavaScript v3: client-s3, lib-storage and s3-request-presigner, driven by js/drive.mjs."""

import json
import pathlib

import pytest
import requests
from common import data, places
from common.checksums import ALGORITHMS
from common.sites import keys_of, read
from drivers.base import Program

DRIVE = pathlib.Path(__file__).parent / "js" / "drive.mjs"
LARGE = 20 * data.MIB + 7


class Node(Program):
    """Steps done by the SDK in one process of Node.js."""

    program = "node"

    def environment(self):
        certificate = {"NODE_EXTRA_CA_CERTS": str(self.target.ca)} if self.target.ca else {}
        return super().environment() | certificate | {
            "MODULES": str(places.ROOT / "target" / "clients-js"),
            "ENDPOINT": self.target.endpoint,
            "AWS_REGION": self.target.region,
            "AWS_ACCESS_KEY_ID": self.target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.target.secret_access_key,
        }

    def drive(self, *steps: dict) -> list:
        """What each step answered."""
        given = self.folder / "steps.json"
        given.write_text(json.dumps(steps))
        return json.loads(self.output(DRIVE, given=given))


@pytest.fixture
def node(target, tmp_path):
    """Node.js on the target."""
    return Node(target, tmp_path / "node")


def call(command: str, bucket: str, key: str | None = None, *, file=None, stream=None, to=None, **more) -> dict:
    """One command as a step; `file` is its body, `to` takes the answer's."""
    step = {"do": "call", "command": command, "input": {"Bucket": bucket, **({"Key": key} if key else {}), **more}}
    return step | {name: str(value) for name, value in (("file", file), ("stream", stream), ("to", to)) if value}


@pytest.mark.parametrize("stream", [None, "file"])
@pytest.mark.parametrize("size", [0, 1, 16385, LARGE])
def test_what_is_put_comes_back(node, s3, bucket, tmp_path, size, stream):
    source = data.file_of(size)
    metadata = {"client": "4711", "with-space": "a b c"}
    length = {"ContentLength": size} if stream else {}
    put, got, head = node.drive(
        call("PutObject", bucket, "总账 +1.bin", file=source, stream=stream, Metadata=metadata, **length),
        call("GetObject", bucket, "总账 +1.bin", to=tmp_path / "back"),
        call("HeadObject", bucket, "总账 +1.bin"),
    )
    assert (tmp_path / "back").read_bytes() == data.content(size) == read(s3, bucket, "总账 +1.bin")
    assert put["ETag"] == got["ETag"] == head["ETag"]
    assert got["ContentLength"] == head["ContentLength"] == size
    assert got["Metadata"] == head["Metadata"] == metadata
    assert put["ChecksumCRC32"] == ALGORITHMS["CRC32"](data.content(size)), "what the SDK sends by itself"


def test_a_range_is_the_range(node, s3, bucket, tmp_path):
    s3.upload_file(str(data.file_of(LARGE)), bucket, "object")
    spans = {"bytes=0-0": (0, 1), "bytes=16380-70000": (16380, 70001), "bytes=-5": (LARGE - 5, LARGE)}
    spans["bytes=20971519-"] = (20 * data.MIB - 1, LARGE)
    answers = node.drive(*(call("GetObject", bucket, "object", Range=r, to=tmp_path / r) for r in spans))
    for answer, (name, (start, end)) in zip(answers, spans.items(), strict=True):
        assert answer["ContentRange"] == f"bytes {start}-{end - 1}/{LARGE}"
        assert (tmp_path / name).read_bytes() == data.content(LARGE)[start:end]


def test_a_listing_comes_in_pages(node, s3, bucket):
    keys = [f"a/{number:03}" for number in range(25)] + ["b/總 1", "b/é+%20", "top"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    every, folders = node.drive(
        {"do": "list", "input": {"Bucket": bucket, "MaxKeys": 10}},
        {"do": "list", "input": {"Bucket": bucket, "MaxKeys": 2, "Delimiter": "/"}},
    )
    assert [len(page["objects"]) for page in every] == [10, 10, 8]
    listed = [entry for page in every for entry in page["objects"]]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [(key, len(key.encode())) for key in sorted(keys)]
    assert [page["prefixes"] for page in folders] == [["a/", "b/"], []]
    assert [entry["Key"] for page in folders for entry in page["objects"]] == ["top"]


@pytest.mark.parametrize("stream", [None, "file", "unknown"])
@pytest.mark.parametrize("size", [0, 1000, 40 * data.MIB + 9])
def test_lib_storage_uploads_in_parts(node, s3, bucket, size, stream):
    where = {"Bucket": bucket, "Key": "large", "ContentType": "application/x-tar"}
    step = {"do": "upload", "partSize": 8 * data.MIB, "queueSize": 4, "input": where}
    (done,) = node.drive(step | {"file": str(data.file_of(size)), "stream": stream})
    assert read(s3, bucket, "large") == data.content(size)
    head = s3.head_object(Bucket=bucket, Key="large")
    assert (head["ETag"], head["ContentType"]) == (done["ETag"], "application/x-tar")
    assert head["ETag"].endswith('-6"') == (size > 8 * data.MIB)


def test_an_aborted_upload_leaves_nothing(node, s3, bucket):
    step = {"do": "abort", "input": {"Bucket": bucket, "Key": "gone"}, "stream": "file"}
    (answer,) = node.drive(step | {"file": str(data.file_of(LARGE))})
    assert answer["error"] == "AbortError"
    assert not keys_of(s3, bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_copy_is_the_same_object_and_many_are_deleted(node, s3, bucket, tmp_path):
    s3.put_object(Bucket=bucket, Key="a +1", Body=data.content(16385), Metadata={"client": "4711"})
    names = [{"Key": "a +1"}, {"Key": "was never there"}]
    copied, _, deleted = node.drive(
        call("CopyObject", bucket, "copy", CopySource=f"{bucket}/a%20%2B1"),
        call("GetObject", bucket, "copy", to=tmp_path / "back"),
        call("DeleteObjects", bucket, Delete={"Objects": names}),
    )
    assert (tmp_path / "back").read_bytes() == data.content(16385)
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["ETag"], head["Metadata"]) == (copied["CopyObjectResult"]["ETag"], {"client": "4711"})
    assert sorted(entry["Key"] for entry in deleted["Deleted"]) == ["a +1", "was never there"]
    assert set(keys_of(s3, bucket)) == {"copy"}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("stream", [None, "file"])
def test_checksums_are_checked_at_both_ends(node, bucket, tmp_path, name, stream):
    """A buffer's checksum is a header, a stream's is a trailer; with ChecksumMode the SDK checks what it gets."""
    length = {"ContentLength": 70_001} if stream else {}
    put, got, head = node.drive(
        call("PutObject", bucket, "k", file=data.file_of(70_001), stream=stream, ChecksumAlgorithm=name, **length),
        call("GetObject", bucket, "k", ChecksumMode="ENABLED", to=tmp_path / "back"),
        call("HeadObject", bucket, "k", ChecksumMode="ENABLED"),
    )
    expected = ALGORITHMS[name](data.content(70_001))
    assert [answer.get(f"Checksum{name}") for answer in (put, got, head)] == [expected] * 3, (put, got, head)
    assert (tmp_path / "back").read_bytes() == data.content(70_001)


def test_presigned_urls_work_for_anybody(node, target, s3, bucket):
    where, verify = {"Bucket": bucket, "Key": "for you/总账.bin"}, str(target.ca) if target.ca else None
    put, get = node.drive(
        {"do": "presign", "command": "PutObject", "input": where},
        {"do": "presign", "command": "GetObject", "input": where},
    )
    assert requests.put(put, data=data.content(16385), verify=verify, timeout=30).status_code == 200
    assert read(s3, bucket, where["Key"]) == data.content(16385)
    answer = requests.get(get, verify=verify, timeout=30)
    assert (answer.status_code, answer.content) == (200, data.content(16385))


def test_errors_have_their_names(node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    answers = node.drive(
        call("GetObject", bucket, "missing"),
        call("HeadObject", bucket, "missing"),
        call("GetObject", bucket + "-missing", "k"),
        call("ListObjectsV2", bucket + "-missing"),
        call("GetObject", bucket, "k", Range="bytes=5-"),
        call("GetObject", bucket, "k", IfMatch='"other"'),
        call("PutObject", bucket, "k", IfNoneMatch="*"),
        call("UploadPart", bucket, "k", UploadId="none", PartNumber=1),
        call("DeleteBucket", bucket),
    )
    assert [(answer["error"], answer["status"]) for answer in answers] == [
        ("NoSuchKey", 404),
        ("NotFound", 404),
        ("NoSuchBucket", 404),
        ("NoSuchBucket", 404),
        ("InvalidRange", 416),
        ("PreconditionFailed", 412),
        ("PreconditionFailed", 412),
        ("NoSuchUpload", 404),
        ("BucketNotEmpty", 409),
    ]
