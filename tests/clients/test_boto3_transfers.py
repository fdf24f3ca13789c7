"""boto3's transfer manager with all its threads: parts of many files at once, streams, ranges."""

import concurrent.futures
import hashlib
import io
import os
import random
import threading

import pytest
from boto3.s3.transfer import TransferConfig
from common import data
from common.sites import keys_of, read
from s3transfer.exceptions import S3DownloadFailedError

THREADS = TransferConfig(
    multipart_threshold=8 * data.MIB,
    multipart_chunksize=8 * data.MIB,
    max_concurrency=8,
    use_threads=True,
    preferred_transfer_client="classic",
)
# Around the threshold and the seams of parts; the last has five parts.
SIZES = (0, 1, 8 * data.MIB - 1, 8 * data.MIB, 8 * data.MIB + 1, 16 * data.MIB, 33 * data.MIB + 11)


class Source(io.RawIOBase):
    """Bytes that come in odd pieces, once, from where nobody can go back; with `breaks` it fails before the end."""

    def __init__(self, content: bytes, breaks: bool = False):
        self._left, self._breaks, self._random = memoryview(content), breaks, random.Random(len(content))

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._breaks and len(self._left) < 4 * data.MIB:
            raise OSError("the disk is gone")
        count = min(len(buffer), len(self._left), self._random.randint(1, data.MIB))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def stream(content: bytes, **options) -> io.BufferedReader:
    """As a program gets it from a pipe or a socket: a read gives all that was asked for, but cannot seek."""
    return io.BufferedReader(Source(content, **options))


def parts_of(size: int) -> int:
    """How many parts the transfer manager makes of a file; 0 when it is put as a whole."""
    return 0 if size < THREADS.multipart_threshold else -(-size // THREADS.multipart_chunksize)


def etag_of(content: bytes) -> str:
    """What S3's ETag of a transfer-managed upload is."""
    if not (count := parts_of(len(content))):
        return f'"{hashlib.md5(content).hexdigest()}"'
    step = THREADS.multipart_chunksize
    digests = (hashlib.md5(content[at : at + step]).digest() for at in range(0, len(content), step))
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{count}"'


def test_files_go_up_and_down_in_parallel(s3, bucket, tmp_path):
    plain = {f"files/{seed}.bin": data.content(size, seed) for seed, size in enumerate(SIZES)}

    def upload(key):
        s3.upload_fileobj(io.BytesIO(plain[key]), bucket, key, Config=THREADS)

    def download(key):
        s3.download_file(bucket, key, str(tmp_path / key.replace("/", "-")), Config=THREADS)

    with concurrent.futures.ThreadPoolExecutor(len(plain)) as pool:
        list(pool.map(upload, plain))
        list(pool.map(download, plain))
    assert {path.name.replace("-", "/"): path.read_bytes() for path in tmp_path.iterdir()} == plain
    assert {key: entry["ETag"] for key, entry in keys_of(s3, bucket).items()} == {
        key: etag_of(content) for key, content in plain.items()
    }


@pytest.mark.parametrize("size", [0, 1000, 8 * data.MIB, 20 * data.MIB + 7])
def test_a_stream_that_cannot_seek_is_the_object(s3, bucket, size):
    s3.upload_fileobj(stream(data.content(size)), bucket, "stream", Config=THREADS)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "stream", back, Config=THREADS)
    assert back.getvalue() == data.content(size)
    assert s3.head_object(Bucket=bucket, Key="stream")["ETag"] == etag_of(data.content(size))


def test_a_pipe_is_the_object(s3, bucket):
    """`tar | upload`: the writer is slower than the uploader, then faster."""
    reader, writer = os.pipe()

    def write():
        with open(writer, "wb") as end:
            end.write(data.content(20 * data.MIB + 7))

    thread = threading.Thread(target=write)
    thread.start()
    with open(reader, "rb") as end:
        s3.upload_fileobj(end, bucket, "piped", Config=THREADS, ExtraArgs={"ContentType": "application/x-tar"})
    thread.join()
    assert read(s3, bucket, "piped") == data.content(20 * data.MIB + 7)
    assert s3.head_object(Bucket=bucket, Key="piped")["ContentType"] == "application/x-tar"


def test_a_stream_that_breaks_off_leaves_nothing(s3, bucket):
    with pytest.raises(OSError, match="the disk is gone"):
        s3.upload_fileobj(stream(data.content(20 * data.MIB), breaks=True), bucket, "broken", Config=THREADS)
    assert not keys_of(s3, bucket)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("size", [1_000_003, 33 * data.MIB + 11])
def test_ranges_read_in_parallel_are_the_ranges(s3, bucket, size):
    s3.upload_file(str(data.file_of(size)), bucket, "object", Config=THREADS)
    plain, picks = data.content(size), random.Random(size)
    starts = [picks.randrange(size) for _ in range(150)]
    ranges = [(start, min(size, start + picks.choice([1, 100, 16384, 70_000, data.MIB]))) for start in starts]

    def ranged(span):
        start, end = span
        answer = s3.get_object(Bucket=bucket, Key="object", Range=f"bytes={start}-{end - 1}")
        return answer["ContentRange"], answer["Body"].read()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for (start, end), (said, piece) in zip(ranges, pool.map(ranged, ranges), strict=True):
            assert said == f"bytes {start}-{end - 1}/{size}"
            assert piece == plain[start:end], (start, end)


def test_a_download_in_parts_never_mixes_two_versions(s3, bucket):
    """Every ranged GET carries the first one's ETag as If-Match: an overwrite fails the download or is not in it."""
    versions = [data.content(20 * data.MIB, seed) for seed in (1, 2)]
    s3.upload_fileobj(io.BytesIO(versions[0]), bucket, "changing", Config=THREADS)
    done, overwrites = threading.Event(), []

    def overwrite():
        while not done.is_set():
            s3.upload_fileobj(io.BytesIO(versions[(len(overwrites) + 1) % 2]), bucket, "changing", Config=THREADS)
            overwrites.append(None)

    whole = failed = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        overwriting = pool.submit(overwrite)
        try:
            # A slow backend takes longer for one upload than for many downloads.
            while whole + failed < 12 or (len(overwrites) < 2 and not overwriting.done()):
                back = io.BytesIO()
                try:
                    s3.download_fileobj(bucket, "changing", back, Config=THREADS)
                except S3DownloadFailedError:
                    failed += 1
                else:
                    assert back.getvalue() in versions
                    whole += 1
        finally:
            done.set()
        overwriting.result()
    assert len(overwrites) >= 2
