"""Every client against every target: the everyday verbs, each checked from outside and at the sites."""

import urllib.parse

import drivers
import pytest
import requests
from common import data
from conftest import new_bucket


@pytest.fixture(params=drivers.ALL, ids=lambda kind: kind.name)
def client(request, target, tmp_path):
    """One client on one target."""
    return request.param(target, tmp_path / "client")


@pytest.mark.parametrize("size", data.SIZES)
def test_what_is_put_comes_back(client, bucket, tmp_path, size):
    client.put(data.file_of(size), bucket, "folder/object.bin")
    back = tmp_path / "back"
    client.get(bucket, "folder/object.bin", back)
    assert back.read_bytes() == data.content(size)
    assert client.sizes(bucket, "folder/") == {"folder/object.bin": size}


def test_a_large_file_goes_and_comes_in_parts(client, s3, bucket, tmp_path):
    client.put(data.file_of(data.MULTIPART_SIZE), bucket, "large.bin")
    back = tmp_path / "back"
    client.get(bucket, "large.bin", back)
    assert back.read_bytes() == data.content(data.MULTIPART_SIZE)
    assert s3.head_object(Bucket=bucket, Key="large.bin")["ETag"].strip('"')[32:33] == "-", "it was a multipart upload"


def test_an_overwritten_object_is_the_new_one(client, bucket, tmp_path):
    client.put(data.file_of(16385), bucket, "key")
    client.put(data.file_of(1), bucket, "key")
    client.get(bucket, "key", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data.content(1)
    assert client.sizes(bucket) == {"key": 1}


@pytest.mark.parametrize("size", [16385, data.FIVE_MIB + 1, 20 * data.MIB + 7])
def test_a_copy_is_the_same_object(client, s3, bucket, tmp_path, size):
    client.put(data.file_of(size), bucket, "original")
    client.copy(bucket, "original", bucket, "folder/copy")
    client.get(bucket, "folder/copy", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data.content(size)
    original, copy = (s3.head_object(Bucket=bucket, Key=key) for key in ("original", "folder/copy"))
    if client.copies_content_type:
        assert copy["ContentType"] == original["ContentType"]


def test_a_copy_into_another_bucket_is_the_same_object(client, target, s3, bucket, tmp_path):
    client.put(data.file_of(16385), bucket, "original")
    other = new_bucket(s3)
    client.copy(bucket, "original", other, "copy")
    client.get(other, "copy", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data.content(16385)
    s3.delete_object(Bucket=other, Key="copy")
    s3.delete_bucket(Bucket=other)


def test_a_deleted_object_is_gone(client, bucket):
    client.put(data.file_of(1), bucket, "a/goes")
    client.put(data.file_of(1), bucket, "a/stays")
    client.delete(bucket, "a/goes")
    assert client.sizes(bucket, "a/") == {"a/stays": 1}


def test_a_second_sync_transfers_nothing(client, bucket, tmp_path):
    names = ["a.txt", "b/c.bin", "b/d/e"]
    tree = data.write_tree(tmp_path / "up", names)
    for name, content in (("big", data.content(20 * data.MIB + 7)), ("zero", b"")):
        data.write_old(tmp_path / "up" / name, content)
        tree[name] = content
    assert client.sync_up(tmp_path / "up", bucket, "sync/") == len(tree)
    assert client.sync_up(tmp_path / "up", bucket, "sync/") == 0
    down = tmp_path / "down"
    down.mkdir()
    assert client.sync_down(bucket, "sync/", down) == len(tree)
    assert data.read_tree(down) == tree
    assert client.sync_down(bucket, "sync/", down) == 0


def test_nasty_names_survive(client, s3, bucket, tmp_path):
    tree = data.write_tree(tmp_path / "up", data.NASTY_NAMES, size=20)
    for name in data.NASTY_NAMES:
        client.put(tmp_path / "up" / name, bucket, name)
    assert set(client.sizes(bucket)) == set(tree)
    for number, name in enumerate(data.NASTY_NAMES):
        client.get(bucket, name, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == tree[name], name


def test_metadata_and_content_type_come_back(client, s3, bucket):
    metadata = {"client": "4711", "voucher-date": "2026-01-31", "with-space": "a b c"}
    client.put(data.file_of(1), bucket, "doc", content_type="application/pdf", metadata=metadata)
    head = s3.head_object(Bucket=bucket, Key="doc")
    assert head["ContentType"] == "application/pdf"
    assert {name: head["Metadata"].get(name) for name in metadata} == metadata


def test_a_presigned_url_gives_the_object_to_anybody(client, target, bucket):
    if not client.presigns:
        pytest.skip(f"{client.name} makes V2 URLs only")
    client.put(data.file_of(16385), bucket, "for you/总账.bin")
    url = client.presign(bucket, "for you/总账.bin")
    assert urllib.parse.urlsplit(url).netloc == target.authority
    answer = requests.get(url, verify=str(target.ca) if target.ca else None, timeout=30)
    assert (answer.status_code, answer.content) == (200, data.content(16385))
