"""Versioned buckets, on sites that have them (Ceph RGW): ids on every operation, markers, listings, both sites alike."""

import hashlib

import pytest
from common.data import FIVE_MIB, content
from conftest import new_bucket
from s3errors import error_of

pytestmark = pytest.mark.rgw


@pytest.fixture
def target(request, pool):
    """The proxy over two RADOS Gateways, plain HTTP."""
    return pool.target("direct_rgw" if request.config.getoption("--direct") else "rgw", "http")


@pytest.fixture
def versioned(s3):
    """A bucket that keeps versions; emptied of all of them at the end."""
    name = new_bucket(s3)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


def empty(s3, bucket):
    """Deletes every version and marker."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        doomed = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in page.get("Versions", []) + page.get("DeleteMarkers", [])
        ]
        if doomed:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})
            assert "Errors" not in answer, answer["Errors"][:3]


def put(s3, bucket, key, body, **more) -> str:
    """Writes a version; its id."""
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **more)["VersionId"]


def get(s3, bucket, key, version=None) -> bytes:
    """Reads the current or a named version."""
    named = {"VersionId": version} if version else {}
    return s3.get_object(Bucket=bucket, Key=key, **named)["Body"].read()


def histories(target, bucket, key) -> list[list]:
    """What each site keeps of a key, from the newest to the oldest: sealed ETags, None for a marker."""
    found = []
    for site in target.sites:
        answer = site.s3().list_object_versions(Bucket=site.raw_bucket(bucket), Prefix=key)
        entries = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
        entries.sort(key=lambda entry: entry["LastModified"], reverse=True)
        found.append([entry.get("ETag") for entry in entries if entry["Key"] == key])
    return found


def alike(target, bucket, key, length):
    """Every site keeps the same versions in the same order, so many."""
    kept = histories(target, bucket, key)
    assert all(history == kept[0] for history in kept), kept
    assert not kept or len(kept[0]) == length


def test_every_version_stays_readable_by_its_id(target, s3, versioned):
    bodies = [content(size, size) for size in (0, 1000, FIVE_MIB + 7)]
    ids = [put(s3, versioned, "k", body, Metadata={"n": str(len(body))}) for body in bodies]
    assert len(set(ids)) == 3
    assert get(s3, versioned, "k") == bodies[-1]
    for version, body in zip(ids, bodies, strict=True):
        got = s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert (got["Body"].read(), got["VersionId"]) == (body, version)
        assert got["ETag"].strip('"') == hashlib.md5(body).hexdigest()
        head = s3.head_object(Bucket=versioned, Key="k", VersionId=version)
        assert (head["ContentLength"], head["ETag"], head["VersionId"]) == (len(body), got["ETag"], version)
        assert head["Metadata"] == {"n": str(len(body))}
    part = s3.get_object(Bucket=versioned, Key="k", VersionId=ids[1], Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (bodies[1][10:20], "bytes 10-19/1000")
    alike(target, versioned, "k", 3)


def test_a_delete_leaves_a_marker_and_its_own_deletion_brings_the_object_back(target, s3, versioned):
    first = put(s3, versioned, "k", b"one")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert gone["DeleteMarker"] is True and gone["VersionId"] not in (first, "null")
    alike(target, versioned, "k", 2)

    assert error_of(s3.get_object, Bucket=versioned, Key="k") == ("NoSuchKey", 404)
    marker = {"Bucket": versioned, "Key": "k", "VersionId": gone["VersionId"]}
    # AWS: 405 and x-amz-delete-marker; RGW 16: 404 without it. It is passed on.
    assert error_of(s3.get_object, **marker) in (("MethodNotAllowed", 405), ("NoSuchKey", 404))
    assert error_of(s3.head_object, **marker)[1] in (405, 404)
    assert get(s3, versioned, "k", first) == b"one"

    undone = s3.delete_object(**marker)
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, gone["VersionId"])
    assert get(s3, versioned, "k") == b"one"
    alike(target, versioned, "k", 1)


def test_a_named_version_is_deleted_for_good_at_every_site(target, s3, versioned):
    ids = [put(s3, versioned, "k", content(100, seed)) for seed in range(4)]
    gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[1])
    assert gone["VersionId"] == ids[1] and "DeleteMarker" not in gone
    # RGW 16 says NoSuchKey where AWS says NoSuchVersion; it is passed on.
    code, status = error_of(s3.get_object, Bucket=versioned, Key="k", VersionId=ids[1])
    assert status == 404 and code in ("NoSuchVersion", "NoSuchKey")
    alike(target, versioned, "k", 3)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=ids[3])
    assert get(s3, versioned, "k") == content(100, 2)
    alike(target, versioned, "k", 2)


def test_many_versions_are_deleted_at_once(target, s3, versioned):
    doomed = [{"Key": key, "VersionId": put(s3, versioned, key, key.encode())} for key in ("a", "b") for _ in range(3)]
    plain = {"Key": "c"}
    put(s3, versioned, "c", b"c")
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [*doomed[:5], plain]})
    by_key = {(one["Key"], one.get("VersionId")): one for one in answer["Deleted"]}
    assert {(one["Key"], one["VersionId"]) for one in doomed[:5]} <= set(by_key)
    assert by_key["c", None]["DeleteMarker"] is True and by_key["c", None]["DeleteMarkerVersionId"]
    for key, length in (("a", 0), ("b", 1), ("c", 2)):
        alike(target, versioned, key, length)


def test_a_list_may_name_a_key_and_versions_of_it(s3, versioned):
    old, _ = put(s3, versioned, "k", b"1"), put(s3, versioned, "k", b"2")
    doomed = [{"Key": "k", "VersionId": old}, {"Key": "k"}]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": doomed})
    [version] = [one for one in answer["Deleted"] if one.get("VersionId") == old]
    [marker] = [one for one in answer["Deleted"] if one.get("DeleteMarker")]
    assert "DeleteMarker" not in version
    [listed] = s3.list_object_versions(Bucket=versioned)["DeleteMarkers"]
    assert marker["DeleteMarkerVersionId"] == listed["VersionId"]


def test_versions_are_listed_with_plain_sizes_and_etags(s3, versioned):
    sizes = {"a": [5, 70_000], "dir/b": [16_384], "ü +": [0, 1, FIVE_MIB + 1]}
    ids = {key: [put(s3, versioned, key, content(size)) for size in of] for key, of in sizes.items()}
    marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
    answer = s3.list_object_versions(Bucket=versioned)
    listed = {}
    for entry in answer["Versions"]:
        listed.setdefault(entry["Key"], []).append(entry)
    assert list(listed) == sorted(sizes, key=str.encode)
    for key, entries in listed.items():
        assert [entry["VersionId"] for entry in entries] == ids[key][::-1]
        assert [entry["Size"] for entry in entries] == sizes[key][::-1]
        etags = [f'"{hashlib.md5(content(size)).hexdigest()}"' for size in sizes[key][::-1]]
        assert [entry["ETag"] for entry in entries] == etags
        assert [entry["IsLatest"] for entry in entries] == [key != "a"] + [False] * (len(entries) - 1)
    [only] = answer["DeleteMarkers"]
    assert (only["Key"], only["VersionId"], only["IsLatest"]) == ("a", marker, True)


@pytest.mark.parametrize("page", [1, 2, 3, 10])
def test_pages_of_versions_join_to_the_whole(s3, versioned, page):
    written = [(key, put(s3, versioned, key, key.encode())) for key in ("a", "b/1", "b/2", "c") for _ in range(2)]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": page})
    seen = [(entry["Key"], entry["VersionId"]) for part in pages for entry in part.get("Versions", [])]
    assert sorted(seen) == sorted(written)
    top = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [entry["Prefix"] for entry in top["CommonPrefixes"]] == ["b/"]
    assert {entry["Key"] for entry in top["Versions"]} == {"a", "c"}


def test_an_old_version_is_restored_by_a_copy(target, s3, versioned):
    old = put(s3, versioned, "k", content(FIVE_MIB + 3, 1), ContentType="text/x", Metadata={"a": "b"})
    put(s3, versioned, "k", b"newer")
    source = {"Bucket": versioned, "Key": "k", "VersionId": old}
    copied = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert copied["CopySourceVersionId"] == old and copied["VersionId"] != old
    head = s3.head_object(Bucket=versioned, Key="k")
    assert (head["ContentType"], head["Metadata"]) == ("text/x", {"a": "b"})
    assert get(s3, versioned, "k") == content(FIVE_MIB + 3, 1)
    alike(target, versioned, "k", 3)


def test_restoring_a_large_old_version_moves_nothing(target, s3, versioned, moves_nothing):
    old = put(s3, versioned, "k", content(FIVE_MIB + 3, 1), Metadata={"a": "b"})
    put(s3, versioned, "k", content(FIVE_MIB + 4, 2))
    with moves_nothing():
        copied = s3.copy_object(
            Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": old}
        )
    assert copied["CopySourceVersionId"] == old
    assert get(s3, versioned, "k") == content(FIVE_MIB + 3, 1)
    assert s3.head_object(Bucket=versioned, Key="k")["Metadata"] == {"a": "b"}
    alike(target, versioned, "k", 3)


def test_a_part_is_copied_from_an_old_version(s3, versioned):
    old = put(s3, versioned, "source", content(FIVE_MIB + 3, 1))
    put(s3, versioned, "source", b"newer")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    source = {"Bucket": versioned, "Key": "source", "VersionId": old}
    place = {"Bucket": versioned, "Key": "k", "UploadId": upload}
    copy = s3.upload_part_copy(**place, PartNumber=1, CopySource=source)
    assert copy["CopySourceVersionId"] == old
    parts = [{"PartNumber": 1, "ETag": copy["CopyPartResult"]["ETag"]}]
    done = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert done["VersionId"]
    assert get(s3, versioned, "k", done["VersionId"]) == content(FIVE_MIB + 3, 1)


def test_suspended_versioning_writes_the_null_version(target, s3, versioned):
    kept = put(s3, versioned, "k", b"kept")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=versioned)["Status"] == "Suspended"
    for body in (b"first", b"second"):
        s3.put_object(Bucket=versioned, Key="k", Body=body)
    assert get(s3, versioned, "k") == get(s3, versioned, "k", "null") == b"second"
    assert get(s3, versioned, "k", kept) == b"kept"
    ids = {entry["VersionId"] for entry in s3.list_object_versions(Bucket=versioned)["Versions"]}
    assert ids == {kept, "null"}
    s3.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert get(s3, versioned, "k") == b"kept"
    alike(target, versioned, "k", 1)


def test_an_unknown_version_is_refused(s3, versioned):
    put(s3, versioned, "k", b"x")
    code, status = error_of(s3.get_object, Bucket=versioned, Key="k", VersionId="nosuchversionnosuchversion")
    assert (code, status) in (("NoSuchVersion", 404), ("NoSuchKey", 404), ("InvalidArgument", 400))


def test_conditions_hold_for_named_versions(s3, versioned):
    old = put(s3, versioned, "k", b"old")
    put(s3, versioned, "k", b"new")
    etag = f'"{hashlib.md5(b"old").hexdigest()}"'
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=old, IfMatch=etag)["Body"].read() == b"old"
    assert error_of(s3.get_object, Bucket=versioned, Key="k", IfMatch=etag) == ("PreconditionFailed", 412)
