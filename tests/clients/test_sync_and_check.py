"""`rclone check`, byte by byte and by hash, and syncs after changes: trap 3."""

import os

import drivers
import pytest
from common import data
from drivers.base import CommandFailed


@pytest.fixture
def rclone(target, tmp_path):
    """rclone on the target."""
    return drivers.Rclone(target, tmp_path / "client")


@pytest.fixture
def synced(rclone, bucket, tmp_path):
    """A folder that was just synced to `bucket/books`."""
    folder = tmp_path / "books"
    data.write_tree(folder, ["2025/一月.csv", "2025/feb.csv", "2026/jan feb.csv", "index"])
    data.write_old(folder / "scan.tif", data.content(40 * data.MIB))
    data.write_old(folder / "empty", b"")
    assert rclone.sync(folder, f"s3:{bucket}/books") == 6
    return folder


def test_rclone_check_finds_no_difference(rclone, bucket, synced):
    said = rclone.check(synced, bucket, "books")
    assert "0 differences found" in said and "6 matching files" in said
    said = rclone.check(synced, bucket, "books", "--download")
    assert "0 differences found" in said


def test_rclone_check_finds_every_difference(rclone, bucket, synced):
    changed = (synced / "index").read_bytes()
    data.write_old(synced / "index", bytes([changed[0] ^ 1]) + changed[1:])
    with pytest.raises(CommandFailed, match="1 differences found"):
        rclone.check(synced, bucket, "books")
    with pytest.raises(CommandFailed, match="1 differences found"):
        rclone.check(synced, bucket, "books", "--download")


def test_only_what_changed_is_transferred_again(rclone, bucket, synced):
    data.write_old(synced / "index", b"new content of another length")
    (synced / "2025" / "feb.csv").unlink()
    data.write_old(synced / "added", b"added")
    assert rclone.sync(synced, f"s3:{bucket}/books") == 2
    assert rclone.sync(synced, f"s3:{bucket}/books") == 0
    assert "0 differences found" in rclone.check(synced, bucket, "books")


def test_a_changed_time_alone_transfers_no_bytes(rclone, bucket, synced):
    """rclone compares MD5s and then sets its own metadata by a copy onto itself with REPLACE."""
    os.utime(synced / "index", (1_600_000_000, 1_600_000_000))
    assert rclone.sync(synced, f"s3:{bucket}/books") == 0
    assert rclone.sync(synced, f"s3:{bucket}/books") == 0
    assert "0 differences found" in rclone.check(synced, bucket, "books", "--download")


@pytest.mark.parametrize("kind", [drivers.AwsCli, drivers.Boto3, drivers.S5cmd], ids=lambda kind: kind.name)
def test_clients_agree_on_what_is_there(target, rclone, bucket, synced, tmp_path, kind):
    expected = {f"books/{name}": len(content) for name, content in data.read_tree(synced).items()}
    assert kind(target, tmp_path / kind.name).sizes(bucket, "books/") == expected == rclone.sizes(bucket, "books/")
