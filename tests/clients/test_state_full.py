"""The disk of the state is full: writes are refused in S3's words, reads go on, nothing is lost, and it passes with its cause."""

import contextlib
import pathlib
import subprocess

import pytest
from botocore.exceptions import ClientError
from common import audit
from common import target as targets
from common.backlog import until_settled
from common.data import content
from common.sites import read
from conftest import new_bucket

pytestmark = pytest.mark.timeout(180)


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, size: str):
    """A file system of its own."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_of_the_state_refuses_writes_and_recovers(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"), ready=False)
    with small_disk(proxy.folder / "state", "3m"):
        proxy.start()
        s3 = proxy.s3(retries={"total_max_attempts": 1})
        bucket, written = new_bucket(s3), {}
        s3.put_object(Bucket=bucket, Key="before", Body=b"before")
        filler = proxy.folder / "state" / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        refused = None
        for number in range(3000):
            body = content(100 + number)
            try:
                s3.put_object(Bucket=bucket, Key=f"k{number}", Body=body)
            except ClientError as error:
                refused = error
                break
            written[f"k{number}"] = body
        assert refused is not None, "it never ran out of space"
        answer = refused.response
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (503, "ServiceUnavailable")
        assert read(s3, bucket, "before") == b"before"
        filler.unlink()
        s3.put_object(Bucket=bucket, Key="after", Body=b"after")
        for key, body in written.items():
            assert read(s3, bucket, key) == body
        until_settled(proxy)
        audit.check_bucket(targets.of_proxy(proxy, "full"), bucket)
        proxy.stop()
