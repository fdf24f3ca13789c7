"""Primary and backup under faults: what is acknowledged is never lost, and both sites become the same again."""

import concurrent.futures
import hashlib
import shutil
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from common import audit
from common import proxy as proxies
from common import target as targets
from common.backlog import pending
from common.data import FIVE_MIB, MIB, content
from common.proxy import Proxy
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of, succeeds

pytestmark = pytest.mark.timeout(180)
QUICK = {"connect_timeout": "500ms", "stall_timeout": "2s"}


@pytest.fixture(params=["embedded", pytest.param("rgw", marks=pytest.mark.rgw)])
def sites(request, pool):
    """A pair of raw sites."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.sites(request.param)


@pytest.fixture
def world(start_proxy, fault, sites):
    """A proxy with a fault injector before each site, and a bucket."""
    return World(start_proxy, fault, sites)


class World:
    """What every test here needs."""

    def __init__(self, start_proxy, fault, sites, **settings):
        (primary, self.primary), (backup, self.backup) = fault(sites[0]), fault(sites[1])
        self.proxy = start_proxy([primary, backup], site_options=QUICK, **settings)
        self.raw = sites
        self.s3 = self.proxy.s3()
        self.bucket = new_bucket(self.s3)
        self.target = targets.of_proxy(self.proxy, "faulty")

    def put(self, key, body=b"body"):
        """PutObject."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key) -> bytes:
        """GetObject."""
        return read(self.s3, self.bucket, key)

    def raw_keys(self, index) -> set[str]:
        """What lies at a site."""
        site = self.raw[index]
        return set(keys_of(site.s3(), site.raw_bucket(self.bucket)))

    def both_sites_are_same(self) -> None:
        """The backup catches up, byte for byte; then the usual cross-check."""
        until(lambda: self.raw_keys(0) == self.raw_keys(1), "both sites hold the same keys", 30)
        audit.check_bucket(self.target, self.bucket)

    def nothing_is_pending(self) -> None:
        """The metrics say so."""
        until(lambda: pending(self.proxy) == 0, "no operation is pending", 30)


# --- the backup is down


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_tee_a_write_without_the_backup_is_acknowledged_and_caught_up(world, mode):
    world.put("before", content(100))
    world.backup.mode = mode
    world.put("small", content(1000))
    world.put("large", content(6 * MIB))
    world.put("before", content(200))
    world.s3.put_object(Bucket=world.bucket, Key="gone", Body=b"x")
    world.s3.delete_object(Bucket=world.bucket, Key="gone")
    assert world.get("large") == content(6 * MIB)
    assert pending(world.proxy) > 0
    world.backup.mode = "pass"
    world.both_sites_are_same()
    world.nothing_is_pending()
    assert world.raw_keys(1) == {"before", "small", "large"}


def test_tee_multipart_without_the_backup_is_caught_up(world):
    where = {"Bucket": world.bucket, "Key": "m"}
    upload = world.s3.create_multipart_upload(**where)["UploadId"]
    first = world.s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=content(FIVE_MIB))
    world.backup.mode = "refuse"
    second = world.s3.upload_part(**where, UploadId=upload, PartNumber=2, Body=content(1000))
    parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": second["ETag"]}]
    world.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    world.backup.mode = "pass"
    world.both_sites_are_same()


def test_tee_a_backup_that_breaks_in_the_middle_is_caught_up(world):
    world.backup.reset_after, world.backup.mode = 1_000_000, "reset"
    world.put("k", content(4 * MIB))
    world.backup.mode = "pass"
    world.both_sites_are_same()


def test_tee_a_bucket_made_without_the_backup_is_caught_up(world):
    world.backup.mode = "refuse"
    other = new_bucket(world.s3)
    world.s3.put_object(Bucket=other, Key="k", Body=b"x")
    world.backup.mode = "pass"
    site = world.raw[1]
    s3 = site.s3()
    until(lambda: other in [entry["Name"] for entry in s3.list_buckets()["Buckets"]], "the bucket is at the backup", 30)
    until(lambda: set(keys_of(s3, site.raw_bucket(other))) == {"k"}, "its object too", 30)
    audit.check_bucket(world.target, other)
    audit.remove_bucket(world.s3, other)


def test_strict_a_write_without_the_backup_is_503_and_the_sites_are_levelled(start_proxy, fault, sites):
    world = World(start_proxy, fault, sites, replication="strict")
    world.put("there", b"old")
    world.backup.mode = "refuse"
    once = world.proxy.s3(retries={"total_max_attempts": 1})
    for key in ("new", "there"):
        code, status = error_of(once.put_object, Bucket=world.bucket, Key=key, Body=b"new")
        assert status == 503 and code in ("ServiceUnavailable", "SlowDown"), (code, status)
    world.backup.mode = "pass"
    # docs/SEMANTICS.md: not acknowledged is not undone; the sites become what the primary holds.
    world.both_sites_are_same()
    world.put("new", b"newer")
    assert world.get("new") == b"newer"
    world.both_sites_are_same()


def test_a_lagging_backup_does_not_stall_clients(world):
    """backup_grace (5 s by default) bounds what a slow backup may cost a write."""
    world.backup.mode = "slow"
    begun = time.monotonic()
    world.put("k", content(8 * MIB))
    assert time.monotonic() - begun < 30, "8 MiB at 200 kB/s would take 40 s"
    world.backup.mode = "pass"
    world.both_sites_are_same()


# --- the primary is down


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_reads_are_served_by_the_backup(world, mode):
    etag = world.put("k", content(300_000))["ETag"]
    world.put("folder/small", b"small")
    world.both_sites_are_same()
    world.primary.mode = mode
    mark = world.proxy.events.mark()
    got = world.s3.get_object(Bucket=world.bucket, Key="k")
    assert (got["Body"].read(), got["ETag"]) == (content(300_000), etag)
    piece = world.s3.get_object(Bucket=world.bucket, Key="k", Range="bytes=100000-200000")
    assert (piece["Body"].read(), piece["ETag"]) == (content(300_000)[100_000:200_001], etag)
    assert world.s3.head_object(Bucket=world.bucket, Key="k")["ETag"] == etag
    listed = world.s3.list_objects_v2(Bucket=world.bucket)["Contents"]
    assert [(e["Key"], e["Size"]) for e in listed] == [("folder/small", 5), ("k", 300_000)]
    assert listed[1]["ETag"] == etag
    events = until(lambda: len(e := world.proxy.events.since(mark)) >= 4 and e, "events of the reads")
    assert {event.get("served_by") for event in events} == {"backup"}


def test_writes_without_the_primary_are_503(world):
    world.primary.mode = "refuse"
    once = world.proxy.s3(retries={"total_max_attempts": 1})
    code, status = error_of(once.put_object, Bucket=world.bucket, Key="k", Body=b"x")
    assert status == 503 and code in ("ServiceUnavailable", "SlowDown")
    world.primary.mode = "pass"
    until(lambda: succeeds(world.put, "k", b"y"), "writes work again")
    assert world.get("k") == b"y"
    world.both_sites_are_same()


def test_a_read_that_breaks_off_never_ends_cleanly(world):
    """The primary breaks while its body is under way: the client sees all the bytes or an error, never a short body."""
    world.put("k", content(20 * MIB))
    world.both_sites_are_same()
    world.primary.reset_after, world.primary.mode = 5 * MIB, "cut"
    once = world.proxy.s3(retries={"total_max_attempts": 1})
    try:
        got = once.get_object(Bucket=world.bucket, Key="k")["Body"].read()
    except (BotoCoreError, ClientError):
        return
    assert got == content(20 * MIB)


# --- the proxy dies


def test_kill_9_during_traffic_loses_nothing_acknowledged(world):
    acknowledged: dict[str, bytes] = {}
    once = world.proxy.s3(retries={"total_max_attempts": 1}, read_timeout=10)

    def write(worker: int) -> None:
        for number in range(1000):
            key, body = f"{worker}/{number}", content(1000 + 40_000 * (number % 5), worker * 1000 + number)
            try:
                once.put_object(Bucket=world.bucket, Key=key, Body=body)
            except (ClientError, BotoCoreError):
                return
            acknowledged[key] = body

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        running = [pool.submit(write, worker) for worker in range(8)]
        until(lambda: len(acknowledged) >= 20, "some writes")
        world.backup.mode = "refuse"
        seen = len(acknowledged)
        until(lambda: len(acknowledged) >= seen + 20, "some writes without the backup")
        world.proxy.kill()
        for writer in running:
            writer.result()
    world.backup.mode = "pass"
    world.proxy.start()
    for key, body in acknowledged.items():
        assert world.get(key) == body, f"{key} was acknowledged"
    # What was under way and not acknowledged may lie at the primary alone; finding that is reconcile's work.
    until(lambda: acknowledged.keys() <= world.raw_keys(1), "the backup has all that was acknowledged", 30)
    primary, backup = (site.s3() for site in world.raw)
    for key in acknowledged:
        until(lambda: read(primary, world.bucket, key) == read(backup, world.bucket, key), f"{key} is the same", 30)
    world.nothing_is_pending()


def test_kill_9_during_a_large_put_leaves_the_old_object(world):
    world.put("k", b"old")
    once = world.proxy.s3(retries={"total_max_attempts": 1}, read_timeout=10)
    world.primary.mode = "slow"
    sent = world.primary.sent
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(succeeds, lambda: once.put_object(Bucket=world.bucket, Key="k", Body=content(20 * MIB)))
        until(lambda: world.primary.sent > sent + 100_000, "the PUT is under way")
        world.proxy.kill()
        assert running.result() is False
    world.primary.mode = "pass"
    world.proxy.start()
    assert world.get("k") == b"old"
    world.both_sites_are_same()


# --- keys


def test_a_backup_and_the_root_key_rebuild_everything(start_proxy, pool, fault):
    """State folder gone, primary gone: the keyring and the objects come from the backup."""
    sites = pool.sites("embedded")
    world = World(start_proxy, fault, sites)
    world.put("k", content(100_000))
    world.both_sites_are_same()
    settings = world.proxy.settings
    world.proxy.stop()
    shutil.rmtree(world.proxy.folder / "state")
    world.primary.mode = "refuse"
    world.proxy.start()
    assert world.get("k") == content(100_000)
    assert world.s3.list_objects_v2(Bucket=world.bucket)["Contents"][0]["Size"] == 100_000
    # And as a fresh installation that knows nothing but the backup and the root key.
    empty = [settings.sites[0], settings.sites[1]]
    fresh = start_proxy(
        empty,
        root_key=settings.root_key,
        system_bucket=settings.system_bucket,
        site_options=QUICK,
    )
    assert read(fresh.s3(), world.bucket, "k") == content(100_000)


def test_a_wrong_root_key_refuses_to_start(start_proxy, pool):
    """Trap 1: a different root key must fail, not make a new keyring."""
    first = start_proxy(pool.sites("embedded"))
    first.stop()
    second = start_proxy(pool.sites("embedded"), ready=False, system_bucket=first.settings.system_bucket)
    second.spawn()
    assert second.end() not in (0, 101)
    assert "root key" in second.stderr()
    second.assert_healthy_logs()
    # The right one still works.
    first.start()


@pytest.mark.parametrize("key", ["0" * 64, "", "abc", "g" * 64, "ab" * 31, "ab" * 33])
def test_a_root_key_that_is_none_refuses_to_start(start_proxy, pool, key):
    proxy = start_proxy(pool.sites("embedded"), ready=False, root_key=key)
    proxy.secrets = []
    proxy.spawn()
    assert proxy.end() not in (0, 101)
    assert "root key" in proxy.stderr()


def test_a_root_key_that_others_can_read_refuses_to_start(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"), ready=False)
    (proxy.folder / "root.key").chmod(0o644)
    proxy.spawn()
    assert proxy.end() not in (0, 101)
    assert "root.key" in proxy.stderr()


def test_a_second_proxy_over_the_same_sites_reads_what_the_first_wrote(start_proxy, pool):
    first = start_proxy(pool.sites("embedded"))
    settings = first.settings
    second = start_proxy(settings.sites, root_key=settings.root_key, system_bucket=settings.system_bucket)
    bucket = new_bucket(first.s3())
    first.s3().put_object(Bucket=bucket, Key="k", Body=content(50_000))
    assert read(second.s3(), bucket, "k") == content(50_000)
    assert (
        second.s3().head_object(Bucket=bucket, Key="k")["ETag"].strip('"') == hashlib.md5(content(50_000)).hexdigest()
    )
    audit.remove_bucket(first.s3(), bucket)


def test_swapped_and_damaged_objects_are_never_served(start_proxy, pool):
    """A storage operator swaps two objects, cuts one, flips a bit, at both sites."""
    proxy = start_proxy(pool.sites("embedded"))
    s3, once = proxy.s3(), proxy.s3(retries={"total_max_attempts": 1})
    bucket = new_bucket(s3)
    for seed, key in enumerate(("a", "b", "cut", "flipped"), start=1):
        s3.put_object(Bucket=bucket, Key=key, Body=content(50_000, seed))
    audit.check_bucket(targets.of_proxy(proxy, "embedded"), bucket)
    for site in proxy.settings.sites:
        raw = site.s3()
        sealed = {key: read(raw, bucket, key) for key in ("a", "b", "cut", "flipped")}
        flipped = bytearray(sealed["flipped"])
        flipped[20_000] ^= 1
        damaged = {"a": sealed["b"], "b": sealed["a"], "cut": sealed["cut"][:-16400], "flipped": bytes(flipped)}
        for key, body in damaged.items():
            raw.put_object(Bucket=bucket, Key=key, Body=body)
    for seed, key in enumerate(("a", "b", "cut", "flipped"), start=1):
        try:
            got = once.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError):
            continue
        raise AssertionError(
            f"{key}: {len(got)} bytes came, {'right' if got == content(50_000, seed) else 'wrong'} ones"
        )
    proxy.assert_healthy_logs()
    assert "strongroom_integrity" in proxy.metrics()


def test_check_says_what_the_sites_can_do(start_proxy, sites):
    proxy = start_proxy(sites)
    said = proxies.strongroom("check", "--config", str(proxy.config)).stdout
    assert "all well" in said and "primary" in said and "backup" in said
    assert proxy.settings.root_key not in said and sites[0].secret_access_key not in said
