"""`primary_down = "accept-on-backup"`: while the primary is out changes are accepted at the backup, and brought home when it is back."""

import contextlib
import hashlib
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from common import audit
from common import target as targets
from common.backlog import pending, until_settled
from common.data import FIVE_MIB, MIB, content
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of, succeeds
from test_kill import NEVER_RETRY, Writer, compare

pytestmark = pytest.mark.timeout(300)
QUICK = {"connect_timeout": "500ms", "stall_timeout": "2s"}


class World:
    """A proxy that accepts on the backup, a fault injector before each site, and a bucket."""

    def __init__(self, start_proxy, fault, raw, **settings):
        self.raw = raw
        (primary, self.primary), (backup, self.backup) = fault(raw[0]), fault(raw[1])
        worker = {"primary_down": "accept-on-backup"}
        self.proxy = start_proxy([primary, backup], site_options=QUICK, worker=worker, **settings)
        self.s3 = self.proxy.s3()
        self.bucket = new_bucket(self.s3)
        self.target = targets.of_proxy(self.proxy, "accepting")

    def put(self, key, body):
        """PutObject."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def get(self, key) -> bytes:
        """GetObject."""
        return read(self.s3, self.bucket, key)

    def multipart(self, key, sizes) -> bytes:
        """An upload in parts; what it is."""
        where = {"Bucket": self.bucket, "Key": key}
        upload = self.s3.create_multipart_upload(**where)["UploadId"]
        parts = [self.part(where, upload, number, content(size, number)) for number, size in enumerate(sizes, 1)]
        self.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        return b"".join(content(size, number) for number, size in enumerate(sizes, 1))

    def part(self, where, upload, number, body) -> dict:
        """UploadPart."""
        etag = self.s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        return {"PartNumber": number, "ETag": etag}

    def primary_goes_down(self, mode="refuse") -> None:
        """And the proxy has noticed: a write succeeds."""
        self.primary.mode = mode
        until(lambda: succeeds(self.put, "first", b"accepted"), "a write is accepted", 60)

    def primary_comes_back(self) -> None:
        """And everything is brought home: both sites are the same."""
        self.primary.mode = "pass"
        until_settled(self.proxy, 90)
        audit.check_bucket(self.target, self.bucket)


@pytest.fixture
def world(start_proxy, fault, pool):
    """As above, over embedded sites."""
    return World(start_proxy, fault, pool.sites("embedded"))


@pytest.mark.parametrize("mode", ["refuse", "hang", "503"])
def test_writes_deletes_and_uploads_are_accepted_readable_at_once_and_brought_home(world, mode):
    world.put("overwritten", content(5000, 1))
    world.put("deleted", b"x")
    world.put("untouched", b"y")
    until_settled(world.proxy)
    world.primary_goes_down(mode)
    etag = world.put("new", content(2 * MIB))["ETag"]
    world.put("overwritten", content(70_000, 2))
    world.put("overwritten", content(70_001, 3))
    world.s3.delete_object(Bucket=world.bucket, Key="deleted")
    world.put("here and gone", b"x")
    answer = world.s3.delete_objects(Bucket=world.bucket, Delete={"Objects": [{"Key": "here and gone"}]})
    assert "Errors" not in answer
    uploaded = world.multipart("multipart", (FIVE_MIB, FIVE_MIB, 1000))
    # At once, and by every way of looking.
    got = world.s3.get_object(Bucket=world.bucket, Key="new")
    assert (got["Body"].read(), got["ETag"]) == (content(2 * MIB), etag)
    assert world.s3.head_object(Bucket=world.bucket, Key="new")["ReplicationStatus"] == "PENDING"
    assert world.get("overwritten") == content(70_001, 3)
    assert world.get("multipart") == uploaded
    assert set(keys_of(world.s3, world.bucket)) == {"first", "new", "overwritten", "untouched", "multipart"}
    assert error_of(world.s3.head_object, Bucket=world.bucket, Key="deleted")[1] == 404
    until(lambda: pending(world.proxy) >= 5, "the backlog is told")
    world.primary_comes_back()
    assert world.get("overwritten") == content(70_001, 3)
    assert world.get("multipart") == uploaded
    assert set(keys_of(world.raw[0].s3(), world.bucket)) == {"first", "new", "overwritten", "untouched", "multipart"}


def test_a_read_never_returns_the_primarys_older_version_while_the_newest_is_away(world):
    world.put("k", b"old")
    until_settled(world.proxy)
    world.primary_goes_down()
    world.put("k", content(MIB, 1))
    stop, wrong, seen = threading.Event(), [], []

    def look():
        s3 = world.proxy.s3(**NEVER_RETRY)
        while not stop.is_set():
            with contextlib.suppress(ClientError, BotoCoreError):
                body = read(s3, world.bucket, "k")
                seen.append(1)
                if body != content(MIB, 1):
                    wrong.append(body[:20])

    readers = [threading.Thread(target=look) for _ in range(4)]
    for reader in readers:
        reader.start()
    time.sleep(0.5)
    world.primary.mode = "pass"
    until_settled(world.proxy, 60)
    time.sleep(0.5)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) >= 3 and not wrong


def test_an_upload_that_began_before_the_outage_is_completed_during_it(world):
    where = {"Bucket": world.bucket, "Key": "m"}
    upload = world.s3.create_multipart_upload(**where)["UploadId"]
    parts = [world.part(where, upload, 1, content(FIVE_MIB, 1))]
    world.primary_goes_down()
    parts.append(world.part(where, upload, 2, content(FIVE_MIB, 2)))
    parts.append(world.part(where, upload, 3, content(100, 3)))
    world.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    whole = content(FIVE_MIB, 1) + content(FIVE_MIB, 2) + content(100, 3)
    assert world.get("m") == whole
    world.primary_comes_back()
    assert world.get("m") == whole


def test_an_upload_that_began_during_the_outage_is_completed_after_it(world):
    world.primary_goes_down()
    where = {"Bucket": world.bucket, "Key": "m"}
    upload = world.s3.create_multipart_upload(**where)["UploadId"]
    parts = [world.part(where, upload, 1, content(FIVE_MIB, 1))]
    world.primary.mode = "pass"
    until_settled(world.proxy, 60)
    parts.append(world.part(where, upload, 2, content(100, 2)))
    world.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert world.get("m") == content(FIVE_MIB, 1) + content(100, 2)
    until_settled(world.proxy, 60)
    audit.check_bucket(world.target, world.bucket)


def test_what_only_the_primary_can_decide_is_refused(world):
    world.put("k", b"old")
    until_settled(world.proxy)
    world.primary_goes_down()
    once = world.proxy.s3(**NEVER_RETRY)
    # (Of another key: nobody knows what became of it, so a backup is not asked for it until the primary is back.)
    where = {"Bucket": world.bucket, "Key": "conditional"}
    for call, arguments in [
        (once.put_object, {**where, "Body": b"x", "IfNoneMatch": "*"}),
        (once.create_bucket, {"Bucket": f"{world.bucket}-2"}),
    ]:
        code, status = error_of(call, **arguments)
        assert status == 503, (call, code, status)
    assert world.get("k") == b"old"
    world.primary_comes_back()


def test_a_strict_rule_is_refused(start_proxy, fault, pool):
    raw = pool.sites("embedded")
    primary, injector = fault(raw[0])
    worker = {"primary_down": "accept-on-backup"}
    proxy = start_proxy([primary, raw[1]], site_options=QUICK, worker=worker, replication="strict")
    bucket = new_bucket(proxy.s3())
    injector.mode = "refuse"
    once = proxy.s3(**NEVER_RETRY)
    for number in range(6):
        assert error_of(once.put_object, Bucket=bucket, Key=f"{number}", Body=b"x")[1] == 503
    injector.mode = "pass"
    until(lambda: succeeds(lambda: proxy.s3().put_object(Bucket=bucket, Key="k", Body=b"x")), "writes go on", 30)


def test_kill_9_during_the_outage_loses_nothing_that_was_acknowledged(start_proxy, fault, pool, request):
    world = World(start_proxy, fault, pool.sites("embedded"))
    known, acknowledged = {}, 0
    for _ in range(60 if request.config.getoption("--full") else 4):
        writers = [Writer(world.proxy, world.bucket, f"w{n}", known) for n in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.1, 0.5))
        world.primary.mode = "refuse"
        until(lambda: succeeds(world.put, "probe", b"x"), "accepted", 60)
        # Who met an error at the moment of the outage has ended; these begin during it.
        writers += [Writer(world.proxy, world.bucket, f"late{n}", known) for n in range(4)]
        for writer in writers[4:]:
            writer.start()
        time.sleep(random.uniform(0.3, 1.0))
        world.proxy.kill()
        for writer in writers:
            writer.join(60)
        if random.random() < 0.5:
            world.primary.mode = "pass"
        world.proxy.start()
        acknowledged += sum(writer.acknowledged for writer in writers)
        world.primary.mode = "pass"
        # The worker's first report comes a moment after the start.
        time.sleep(2)
        until_settled(world.proxy, 120)
    known.pop("probe", None)
    compare(world.proxy, world.bucket, known)
    assert acknowledged > 20, "there was load"


def test_an_outage_that_comes_and_goes_under_load_ends_with_equal_sites(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool.sites("embedded"))
    stop, bodies, failed = threading.Event(), {}, []

    def write(worker: int):
        s3 = world.proxy.s3(**NEVER_RETRY)
        number = 0
        while not stop.is_set():
            key, number = f"{worker}/{number % 7}", number + 1
            body = content(random.choice((10, 3000, 80_000)), number)
            before = bodies.get(key, {None})
            bodies[key] = before | {hashlib.sha256(body).hexdigest()}
            try:
                s3.put_object(Bucket=world.bucket, Key=key, Body=body)
                bodies[key] = {hashlib.sha256(body).hexdigest()}
                found = hashlib.sha256(read(s3, world.bucket, key)).hexdigest()
                assert found in bodies[key], f"{key} reads something else than was acknowledged"
            except (ClientError, BotoCoreError):
                continue
            except AssertionError as error:
                failed.append(error)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(6):
        time.sleep(random.uniform(0.2, 0.8))
        world.primary.mode = random.choice(("refuse", "500", "503"))
        time.sleep(random.uniform(0.3, 1.5))
        world.primary.mode = "pass"
    stop.set()
    for writer in writers:
        writer.join(60)
    assert not failed, failed[:3]
    until_settled(world.proxy, 120)
    compare(world.proxy, world.bucket, bodies)
