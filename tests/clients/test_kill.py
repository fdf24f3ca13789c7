"""kill -9 at random moments under load: what was acknowledged is at both sites, and both sites are the same.

A bounded number of kills runs always, hundreds with --full.
"""

import concurrent.futures
import contextlib
import hashlib
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from common import audit
from common import target as targets
from common.backlog import until_settled
from common.data import FIVE_MIB, content
from common.sites import keys_of, read
from conftest import new_bucket

pytestmark = pytest.mark.timeout(3600)
KEYS = 40
SIZES = (0, 100, 3000, 70_000, 1_500_000)
NEVER_RETRY = {"retries": {"total_max_attempts": 1}}


class Writer(threading.Thread):
    """Changes keys of its own until its proxy is gone; knows what was acknowledged and what is uncertain."""

    def __init__(self, proxy, bucket: str, name: str, known: dict):
        super().__init__(daemon=True)
        self.s3, self.bucket, self.prefix, self.known = proxy.s3(**NEVER_RETRY), bucket, name, known
        self.random = random.Random(f"{name}-{time.monotonic_ns()}")
        self.acknowledged = 0

    def run(self):
        with contextlib.suppress(BotoCoreError, ClientError):
            while True:
                self._change(f"{self.prefix}/{self.random.randrange(KEYS)}")
                self.acknowledged += 1

    def _change(self, key: str) -> None:
        kind = self.random.choice(("put", "put", "put", "put", "delete", "multipart"))
        before = self.known.get(key, {None})
        body = None if kind == "delete" else self._body(kind)
        digest = None if body is None else hashlib.sha256(body).hexdigest()
        # Until it is acknowledged it may have happened or not.
        self.known[key] = before | {digest}
        where = {"Bucket": self.bucket, "Key": key}
        if kind == "delete":
            self.s3.delete_object(**where)
        elif kind == "put":
            self.s3.put_object(**where, Body=body)
        else:
            self._multipart(where, body)
        self.known[key] = {digest}

    def _body(self, kind: str) -> bytes:
        salt = self.random.randbytes(16)
        size = FIVE_MIB + 1000 if kind == "multipart" else self.random.choice(SIZES)
        return (salt + content(size))[: max(size, 1)]

    def _multipart(self, where: dict, body: bytes) -> None:
        upload = self.s3.create_multipart_upload(**where)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(body), FIVE_MIB), 1):
            chunk = body[start : start + FIVE_MIB]
            part = self.s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=chunk)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


def compare(proxy, bucket: str, known: dict) -> None:
    """Every key is one of what it may be, and both sites hold the same sealed bytes."""
    s3, target = proxy.s3(), targets.of_proxy(proxy, "killed")
    listed = keys_of(s3, bucket)

    def state_of(key):
        return hashlib.sha256(read(s3, bucket, key)).hexdigest() if key in listed else None

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for key, found in zip(known, pool.map(state_of, known), strict=True):
            assert found in known[key], f"{key} is {found}, may be {known[key]}"
            # What was uncertain has been decided by now.
            known[key] = {found}
    audit.check_bucket(target, bucket)


def kill_and_compare(start_proxy, sites, kills: int, replication: str = "tee") -> None:
    """The whole test."""
    proxy = start_proxy(sites, replication=replication)
    bucket, known, acknowledged = new_bucket(proxy.s3()), {}, 0
    for round_number in range(kills):
        writers = [Writer(proxy, bucket, f"w{n}", known) for n in range(6)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.05, 0.8))
        proxy.kill()
        for writer in writers:
            writer.join(60)
        acknowledged += sum(writer.acknowledged for writer in writers)
        proxy.start()
        # Every tenth time: what one round leaves must not be needed by the next.
        if round_number % 10 == 9 or round_number == kills - 1:
            until_settled(proxy)
            compare(proxy, bucket, known)
    assert acknowledged > kills, "there was load"


@pytest.mark.parametrize("replication", ["tee", "strict"])
def test_killed_at_random_moments_nothing_acknowledged_is_lost_and_both_sites_agree(start_proxy, pool, replication):
    kill_and_compare(start_proxy, pool.sites("embedded"), 6, replication)


@pytest.mark.full
@pytest.mark.parametrize("replication", ["tee", "strict"])
def test_killed_hundreds_of_times(start_proxy, pool, replication):
    kill_and_compare(start_proxy, pool.sites("embedded"), 200, replication)
