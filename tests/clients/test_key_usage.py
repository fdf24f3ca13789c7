"""What is sealed under each version of a key is counted, at most a little too high, and a version that has sealed enough is replaced or seals no more."""

import collections
import re

import pytest
from botocore.exceptions import ClientError
from common import postgres
from common.data import FIVE_MIB, content
from common.sites import read
from common.wait import until
from conftest import new_bucket
from test_keys import key
from test_roots import metric

pytestmark = pytest.mark.timeout(180)

SEALED = re.compile(r"version (\d+)\t.*\tsealed (\d+) objects, (\d+) bytes")
FULLEST = "strongroom_vault_key_fullest_ratio"


def sealed(proxy, name: str = "main") -> dict[int, tuple[int, int]]:
    """What `key show` says of each version: objects, bytes."""
    found = SEALED.findall(key(proxy, "show", name).stdout)
    return {int(version): (int(objects), int(size)) for version, objects, size in found}


def put(proxy, bucket: str, name: str, body: bytes = b"x", s3=None) -> int:
    """Writes an object; the version of the key that it is under."""
    (s3 or proxy.s3()).put_object(Bucket=bucket, Key=name, Body=body)

    def version() -> int:
        puts = [event for event in proxy.events.since(0) if event.get("key") == name]
        return puts[-1]["vault_key_version"] if puts else 0

    until(version, "the event is written")
    return version()


def test_a_key_is_rotated_when_it_has_sealed_so_many_objects(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"), keys={"rotate_after_objects": 3})
    bucket = new_bucket(proxy.s3())
    names = [f"k{number}" for number in range(8)]
    versions = [put(proxy, bucket, name, name.encode()) for name in names]
    assert versions == [1, 1, 1, 2, 2, 2, 3, 3]
    assert {version: count for version, (count, _) in sealed(proxy).items()} == {1: 3, 2: 3, 3: 2}
    assert all(read(proxy.s3(), bucket, name) == name.encode() for name in names)
    shown = key(proxy, "show", "main").stdout
    assert "keys.rotate_after_objects" in shown and "rotated after: 3 objects; the newest version has used 66.7 %" in shown
    assert 0.6 < metric(proxy, FULLEST) < 0.7
    # Idle, it is replaced in the background as soon as it is full.
    assert put(proxy, bucket, "last") == 3
    until(lambda: "version 4" in key(proxy, "show", "main").stdout, "the full version is replaced", 15)
    until(lambda: metric(proxy, FULLEST) == 0, "the new version is in use")


def test_a_key_is_rotated_when_it_has_sealed_so_many_bytes(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"), keys={"rotate_after_bytes": "64KiB"})
    bucket, body = new_bucket(proxy.s3()), content(40_000)
    assert [put(proxy, bucket, f"k{number}", body) for number in range(5)] == [1, 1, 2, 2, 3]
    by_version = sealed(proxy)
    assert [by_version[version][1] for version in (1, 2, 3)] == [80_000, 80_000, 40_000]
    assert "keys.rotate_after_bytes" in key(proxy, "show", "main").stdout


def test_parts_count_their_bytes_and_a_copy_that_moves_none_counts_none(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"))
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    where = {"Bucket": bucket, "Key": "m"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    sizes = [FIVE_MIB, FIVE_MIB + 3, 17]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=content(size))["ETag"]}
        for number, size in enumerate(sizes, 1)
    ]
    # A part that is sent again is sealed again.
    s3.upload_part(**where, UploadId=upload, PartNumber=3, Body=content(17))
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="large copy", CopySource=where)
    s3.put_object(Bucket=bucket, Key="small", Body=content(1000))
    s3.copy_object(Bucket=bucket, Key="small copy", CopySource={"Bucket": bucket, "Key": "small"})
    running = sealed(proxy)[1]
    proxy.stop()
    exact = (4, sum(sizes) + 17 + 2 * 1000)
    assert sealed(proxy) == {1: exact}
    # While it runs, what was taken ahead is counted as well: at most as much again.
    assert exact[0] <= running[0] <= 2 * exact[0] and exact[1] <= running[1] <= 2 * exact[1]


def test_counts_survive_a_restart_exactly_and_a_kill_on_the_safe_side(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"))
    bucket, total = new_bucket(proxy.s3()), 0
    for end in (proxy.stop, proxy.kill, proxy.kill, proxy.stop):
        s3 = proxy.s3()
        for number in range(25):
            s3.put_object(Bucket=bucket, Key=f"k{number}", Body=content(1000))
        total += 25
        before_end = sealed(proxy)[1]
        end()
        objects, size = sealed(proxy)[1]
        assert total <= objects <= 3 * total and 1000 * total <= size <= 3000 * total, (objects, size, total)
        if end == proxy.kill:
            assert (objects, size) == before_end, "nothing is lost"
        elif total == 25:
            assert (objects, size) == (25, 25_000), "exact"
        proxy.start()


def test_two_proxies_with_one_database_count_together(start_proxy, pool):
    settings = {"database": postgres.database(), "keys": {"rotate_after_objects": 6}}
    sites = pool.sites("embedded")
    one = start_proxy(sites, **settings)
    same = {name: getattr(one.settings, name) for name in ("system_bucket", "root_key", "secret_access_key")}
    two = start_proxy(sites, **settings, **same)
    bucket = new_bucket(one.s3())
    versions = collections.Counter(put((one, two)[number % 2], bucket, f"k{number}") for number in range(15))
    assert versions == {1: 6, 2: 6, 3: 3}, versions
    assert {version: count for version, (count, _) in sealed(two).items()} == {1: 6, 2: 6, 3: 3}
    one.stop()
    two.kill()
    assert {version: count for version, (count, _) in sealed(one).items()} == {1: 6, 2: 6, 3: 3}


def test_a_key_that_is_full_and_cannot_be_rotated_seals_no_more_and_opens(start_proxy, fault, pool):
    primary, backup = pool.sites("embedded")
    primary, injector = fault(primary)
    proxy = start_proxy(
        [primary, backup],
        site_options={"connect_timeout": "500ms", "stall_timeout": "2s"},
        # A write is not refused for the primary's sake alone.
        worker={"primary_down": "accept-on-backup"},
        keys={"rotate_after_objects": 4},
    )
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="before", Body=b"before")
    injector.mode = "refuse"

    def put_in_vain():
        try:
            s3.put_object(Bucket=bucket, Key="more", Body=b"more")
        except ClientError as error:
            return error.response

    written = 0
    for _ in range(20):
        refused = put_in_vain()
        written += refused is None
        if refused and "as much as it may" in refused["Error"]["Message"]:
            break
    assert (refused["ResponseMetadata"]["HTTPStatusCode"], refused["Error"]["Code"]) == (503, "ServiceUnavailable")
    assert "has sealed as many objects under version 1 as it may" in proxy.stderr()
    assert read(s3, bucket, "before") == b"before"
    assert 1 <= written <= 3 and sealed(proxy)[1][0] == 4
    assert metric(proxy, FULLEST) == 1
    injector.mode = "pass"
    until(lambda: put_in_vain() is None, "the key is rotated", 30)
    until(lambda: metric(proxy, FULLEST) < 1, "the new version is in use")
    assert read(s3, bucket, "more") == b"more"
