"""Checksums that a client sends with an object, and asks for."""

from cases import case, cases
from common.checksums import ALGORITHMS

_WRONG = {"CRC32": "AAAAAA==", "CRC32C": "AAAAAA==", "CRC64NVME": "AAAAAAAAAAA=", "SHA1": "A" * 27 + "=", "SHA256": "A" * 43 + "="}
_EACH = {name.lower(): (name,) for name in _WRONG}


@cases(**_EACH)
def of_an_object(side, algorithm):
    value = ALGORITHMS[algorithm](b"bar")
    side.put_object(Key="foo", Body=b"bar", **{f"Checksum{algorithm}": value})
    side.head_object(Key="foo", ChecksumMode="ENABLED")
    side.get_object(Key="foo", ChecksumMode="ENABLED")
    side.head_object(Key="foo")
    side.get_object(Key="foo", ChecksumMode="ENABLED", Range="bytes=0-1")
    side.get_object_attributes(Key="foo", ObjectAttributes=["Checksum", "ETag", "ObjectSize", "StorageClass"])
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"})
    side.head_object(Key="copy", ChecksumMode="ENABLED")


@cases(**_EACH)
def wrong(side, algorithm):
    name = f"x-amz-checksum-{algorithm.lower()}"
    side.raw("PUT", "foo", b"bar", headers={name: _WRONG[algorithm]})
    side.raw("PUT", "foo", b"bar", headers={name: "nonsense"})
    side.raw("PUT", "foo", b"bar", headers={name: ""})
    side.head_object(Key="foo")


@case
def two_at_once(side):
    headers = {f"x-amz-checksum-{name.lower()}": ALGORITHMS[name](b"bar") for name in ("SHA256", "CRC32")}
    side.raw("PUT", "foo", b"bar", headers=headers)
    side.head_object(Key="foo")


@case
def unknown_algorithm(side):
    side.raw("PUT", "foo", b"bar", headers={"x-amz-sdk-checksum-algorithm": "CRC99"})
    side.raw("PUT", "goo", b"bar", headers={"x-amz-checksum-crc99": "AAAA"})


@case
def another_than_announced(side):
    headers = {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-crc32": ALGORITHMS["CRC32"](b"bar")}
    side.raw("PUT", "foo", b"bar", headers=headers)
    side.head_object(Key="foo", ChecksumMode="ENABLED")


@case
def asked_for_in_other_words(side):
    side.put_object(Key="foo", Body=b"bar", ChecksumAlgorithm="SHA256")
    for value in ("enabled", "ENABLED", "yes", ""):
        side.raw("HEAD", "foo", headers={"x-amz-checksum-mode": value})


@cases(**_EACH)
def of_a_copy(side, algorithm):
    side.put_object(Key="foo", Body=b"bar", ChecksumAlgorithm="CRC32")
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"}, ChecksumAlgorithm=algorithm)
    side.head_object(Key="copy", ChecksumMode="ENABLED")
    side.copy_object(Key="again", CopySource={"Bucket": side.bucket, "Key": "copy"})
    side.head_object(Key="again", ChecksumMode="ENABLED")


@cases(**_EACH)
def in_a_listing(side, algorithm):
    side.put_object(Key="foo", Body=b"bar", ChecksumAlgorithm=algorithm)
    side.list_objects_v2()
    side.list_object_versions()
