"""Versioned buckets: what a site missed during an outage reaches it version by version, in order, delete markers included."""

import threading

import pytest
from common.backlog import until_settled
from common.data import FIVE_MIB, content
from common.sites import read
from common.wait import until
from conftest import new_bucket

pytestmark = [pytest.mark.rgw, pytest.mark.timeout(300)]
QUICK = {"connect_timeout": "500ms", "stall_timeout": "2s"}


class World:
    """A proxy over two gateways, a fault injector before each, and a versioned bucket."""

    def __init__(self, start_proxy, fault, pool, **worker):
        self.raw = pool.sites("rgw")
        (primary, self.primary), (backup, self.backup) = fault(self.raw[0]), fault(self.raw[1])
        self.proxy = start_proxy([primary, backup], site_options=QUICK, worker=worker)
        self.s3 = self.proxy.s3()
        self.bucket = new_bucket(self.s3)
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=enabled)

    def put(self, key, body):
        """PutObject."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key):
        """A delete marker."""
        return self.s3.delete_object(Bucket=self.bucket, Key=key)

    def history(self, site: int, key: str) -> list[bytes | None]:
        """The sealed bytes of every version there, the newest first; None: a delete marker."""
        s3, bucket = self.raw[site].s3(), self.raw[site].raw_bucket(self.bucket)
        page = s3.list_object_versions(Bucket=bucket, Prefix=key)
        entries = [(e["LastModified"], e["VersionId"], True) for e in page.get("Versions", []) if e["Key"] == key]
        markers = page.get("DeleteMarkers", [])
        entries += [(e["LastModified"], e["VersionId"], False) for e in markers if e["Key"] == key]
        entries.sort(key=lambda entry: entry[0], reverse=True)

        def sealed(version):
            return s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()

        return [sealed(version) if is_object else None for _, version, is_object in entries]

    def both_have_the_same_history(self, key: str, length: int) -> None:
        """Version by version."""
        until_settled(self.proxy, 90)
        assert len(self.history(0, key)) == length
        until(lambda: len(self.history(1, key)) == length, f"{key} has {length} versions at the backup", 30)
        ours, theirs = self.history(0, key), self.history(1, key)
        assert ours == theirs, [[one and len(one) for one in history] for history in (ours, theirs)]


def test_versions_and_delete_markers_that_a_backup_missed_arrive_in_order(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool)
    world.put("k", content(1000, 1))
    world.put("gone", b"x")
    until_settled(world.proxy)
    world.backup.mode = "refuse"
    world.put("k", content(2000, 2))
    world.delete("k")
    world.delete("k")
    world.put("k", content(3000, 3))
    world.put("k", content(4000, 4))
    world.delete("gone")
    world.put("born", b"first")
    world.put("born", b"second")
    world.backup.mode = "pass"
    # (A gateway makes no second marker on top of a marker.)
    world.both_have_the_same_history("k", 5)
    world.both_have_the_same_history("gone", 2)
    world.both_have_the_same_history("born", 2)
    assert read(world.s3, world.bucket, "k") == content(4000, 4)


def test_a_version_written_while_earlier_ones_are_missing_waits_for_its_turn(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool)
    world.put("k", content(100, 1))
    until_settled(world.proxy)
    stop, written = threading.Event(), [1]

    def write():
        s3 = world.proxy.s3()
        while not stop.is_set():
            written[0] += 1
            s3.put_object(Bucket=world.bucket, Key="k", Body=content(100 + written[0], written[0]))

    writer = threading.Thread(target=write)
    writer.start()
    for mode in ("refuse", "pass") * 3:
        world.backup.mode = mode
        stop.wait(0.7)
    stop.set()
    writer.join(60)
    world.both_have_the_same_history("k", written[0])


def test_an_upload_in_parts_is_the_same_version_although_its_etag_is_another(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool)
    world.backup.mode = "refuse"
    where = {"Bucket": world.bucket, "Key": "m"}
    upload = world.s3.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, size in enumerate((FIVE_MIB, 1000), 1):
        part = world.s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=content(size, number))
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    world.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    world.backup.mode = "pass"
    world.both_have_the_same_history("m", 1)
    world.backup.mode = "refuse"
    world.put("m", b"after")
    world.backup.mode = "pass"
    world.both_have_the_same_history("m", 2)


def test_versions_that_a_backup_accepted_come_home_in_order(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool, primary_down="accept-on-backup")
    world.put("k", content(1000, 1))
    until_settled(world.proxy)
    world.primary.mode = "refuse"
    until(lambda: _succeeds(world, "other"), "a write is accepted", 60)
    assert "VersionId" not in world.put("k", content(2000, 2)), "a backup's version id means nothing"
    world.delete("k")
    world.put("k", content(3000, 3))
    assert read(world.s3, world.bucket, "k") == content(3000, 3)
    world.primary.mode = "pass"
    world.both_have_the_same_history("k", 4)
    assert world.s3.head_object(Bucket=world.bucket, Key="k")["VersionId"]


def _succeeds(world, key) -> bool:
    try:
        world.put(key, b"x")
    except Exception:  # noqa: BLE001 - the outage is being noticed
        return False
    return True
