"""Everything streams: the size of an object does not show in the proxy's memory."""

import concurrent.futures
import io

import boto3.s3.transfer
import pytest
from common import audit
from common import target as targets
from common.data import MIB, content
from common.wire import UNSIGNED, Wire
from conftest import new_bucket

GIB = 1024 * MIB
BLOCK = content(MIB)
ALLOWED = 48 * MIB


class Endless(io.RawIOBase):
    """A stream of `size` bytes that are never all there."""

    def __init__(self, size: int):
        self.left = size

    def readable(self):
        """Yes."""
        return True

    def readinto(self, buffer):
        """The next bytes."""
        size = min(len(buffer), self.left, len(BLOCK))
        buffer[:size] = BLOCK[:size]
        self.left -= size
        return size


class Sink(io.RawIOBase):
    """Counts and forgets."""

    def __init__(self):
        self.size = 0

    def writable(self):
        """Yes."""
        return True

    def write(self, data):
        """Counts."""
        self.size += len(data)
        return len(data)


@pytest.fixture
def proxy(start_proxy, pool):
    """A proxy of its own, so that the peak is this test's."""
    proxy = start_proxy(pool.sites("embedded"))
    proxy.s3().list_buckets()
    return proxy


def put_single(proxy, bucket, size) -> None:
    """One PUT of the whole, streamed with an unsigned payload."""
    wire = Wire(targets.of_proxy(proxy, "embedded"))
    head = wire.head("PUT", f"/{bucket}/large", headers={"Content-Length": str(size)}, payload=UNSIGNED)
    with wire.connect() as connection:
        connection.sendall(head)
        for _ in range(size // MIB):
            connection.sendall(BLOCK)
        assert connection.recv(20).startswith(b"HTTP/1.1 200")


def read_all(s3, bucket) -> int:
    """A GET of the whole, forgotten as it comes."""
    body = s3.get_object(Bucket=bucket, Key="large")["Body"]
    return sum(len(piece) for piece in body.iter_chunks(MIB))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("size", [256 * MIB, pytest.param(5 * GIB, marks=pytest.mark.full)], ids=["256M", "5G"])
def test_one_large_put_and_get_cost_a_few_mib(proxy, size):
    s3 = proxy.s3(read_timeout=600)
    bucket = new_bucket(s3)
    before = proxy.peak_memory()
    put_single(proxy, bucket, size)
    assert read_all(s3, bucket) == size
    assert proxy.peak_memory() - before < ALLOWED
    audit.remove_bucket(s3, bucket)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("size", [256 * MIB, pytest.param(5 * GIB, marks=pytest.mark.full)], ids=["256M", "5G"])
def test_a_large_multipart_upload_costs_a_few_mib(proxy, size):
    s3 = proxy.s3(read_timeout=600)
    bucket = new_bucket(s3)
    before = proxy.peak_memory()
    config = boto3.s3.transfer.TransferConfig(
        multipart_chunksize=16 * MIB, max_concurrency=4, preferred_transfer_client="classic"
    )
    s3.upload_fileobj(io.BufferedReader(Endless(size)), bucket, "large", Config=config)
    sink = Sink()
    s3.download_fileobj(bucket, "large", sink, Config=config)
    assert sink.size == size
    assert proxy.peak_memory() - before < 2 * ALLOWED, "four parts at a time"
    audit.remove_bucket(s3, bucket)


def test_many_transfers_at_once_stay_bounded(proxy):
    """48 x 16 MiB both ways, 32 at a time: far below the sum of the bodies (768 MiB)."""
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    before = proxy.peak_memory()

    def there_and_back(number: int) -> bool:
        s3.put_object(Bucket=bucket, Key=str(number), Body=content(16 * MIB))
        return s3.get_object(Bucket=bucket, Key=str(number))["Body"].read() == content(16 * MIB)

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(there_and_back, range(48)))
    assert proxy.peak_memory() - before < 256 * MIB
    audit.remove_bucket(s3, bucket)
