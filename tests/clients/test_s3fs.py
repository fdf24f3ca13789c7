"""s3fs: a bucket as a folder. What programs do to files becomes puts, copies, multipart uploads and deletes."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from common import data
from common.sites import keys_of, read
from common.wait import until
from drivers.base import Program

SIZE = 12 * data.MIB + 5


class S3fs(Program):
    """One mount of one bucket, in the foreground; its log is in `folder`."""

    program = "s3fs"

    def __init__(self, target, folder, bucket):
        super().__init__(target, folder)
        self.bucket, self.mountpoint = bucket, folder / "mnt"
        self.mountpoint.mkdir()

    def environment(self):
        certificate = {"CURL_CA_BUNDLE": str(self.target.ca)} if self.target.ca else {}
        credential = {
            "AWS_ACCESS_KEY_ID": self.target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.target.secret_access_key,
        }
        return super().environment() | credential | certificate

    @contextlib.contextmanager
    def mounted(self):
        """The folder, while it is mounted. Files are multipart uploads from 5 MiB on."""
        # Only when it was refused it looks for the CA, and tries again.
        options = [f"url={self.target.endpoint}", f"endpoint={self.target.region}", "use_path_request_style"]
        options += ["sigv4", "multipart_size=5", "max_stat_cache_size=0", "retries=2", f"tmpdir={self.folder}"]
        command = [self.program, self.bucket, str(self.mountpoint), "-f"]
        command += [word for option in options for word in ("-o", option)]
        with open(self.folder / "log", "ab") as log:
            child = subprocess.Popen(command, env=self.environment(), cwd=self.folder, stdout=log, stderr=log)
        try:
            until(lambda: self._is_mounted(child), "the bucket is mounted")
            yield self.mountpoint
        finally:
            subprocess.run(["fusermount", "-uz", str(self.mountpoint)], check=False, capture_output=True)
            child.terminate()
            child.wait(timeout=30)

    def _is_mounted(self, child) -> bool:
        if child.poll() is not None:
            said = (self.folder / "log").read_text(errors="replace")
            if refused := re.search(r"^fuse.*mount failed.*|^fuse: failed to open.*", said, re.M):
                pytest.skip(f"nothing can be mounted: {refused[0]}")
            raise AssertionError(f"s3fs ended with {child.returncode}:\n{said[-4000:]}")
        return os.path.ismount(self.mountpoint)


def why_not() -> str | None:
    """What keeps this machine from mounting anything."""
    if not shutil.which("s3fs"):
        return "s3fs is not installed"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as fault:
        return f"/dev/fuse cannot be opened: {fault.strerror}"
    return None


@pytest.fixture
def s3fs(target, bucket, tmp_path):
    """s3fs on the bucket."""
    if reason := why_not():
        pytest.skip(f"nothing can be mounted: {reason}")
    return S3fs(target, tmp_path / "s3fs", bucket)


@pytest.fixture
def mount(s3fs) -> pathlib.Path:
    """The mounted bucket."""
    with s3fs.mounted() as mountpoint:
        yield mountpoint


def files(s3, bucket) -> dict[str, bytes]:
    """Every object that is a file: s3fs keeps folders as keys that end with a slash."""
    return {key: read(s3, bucket, key) for key in keys_of(s3, bucket) if not key.endswith("/")}


@pytest.mark.parametrize("size", [0, 1, 16385, SIZE])
def test_a_written_file_is_the_object(mount, s3, bucket, size):
    (mount / "file.bin").write_bytes(data.content(size))
    assert read(s3, bucket, "file.bin") == data.content(size)
    assert (s3.head_object(Bucket=bucket, Key="file.bin")["ETag"].count("-") == 1) == (size > data.FIVE_MIB)


def test_an_object_is_a_file(mount, s3, bucket):
    s3.put_object(Bucket=bucket, Key="from/elsewhere", Body=data.content(SIZE))
    assert (mount / "from" / "elsewhere").stat().st_size == SIZE
    with open(mount / "from" / "elsewhere", "rb") as file:
        file.seek(9 * data.MIB + 1)
        assert file.read(100_000) == data.content(SIZE)[9 * data.MIB + 1 :][:100_000]
    assert (mount / "from" / "elsewhere").read_bytes() == data.content(SIZE)


@pytest.mark.parametrize("size", [1000, SIZE])
def test_an_appended_file_is_the_object(mount, s3, bucket, size):
    """Of a large file s3fs uploads the end and copies the rest (UploadPartCopy)."""
    (mount / "log").write_bytes(data.content(size))
    for seed in (2, 3):
        with open(mount / "log", "ab") as file:
            file.write(data.content(3000, seed))
    expected = data.content(size) + data.content(3000, 2) + data.content(3000, 3)
    assert read(s3, bucket, "log") == expected == (mount / "log").read_bytes()


def test_a_file_changed_in_place_is_the_object(mount, s3, bucket):
    (mount / "file").write_bytes(data.content(SIZE))
    with open(mount / "file", "r+b") as file:
        file.seek(6 * data.MIB)
        file.write(b"changed")
    expected = bytearray(data.content(SIZE))
    expected[6 * data.MIB : 6 * data.MIB + 7] = b"changed"
    assert read(s3, bucket, "file") == expected


@pytest.mark.parametrize("size", [1000, SIZE])
def test_a_renamed_file_keeps_its_bytes(mount, s3, bucket, size):
    (mount / "old name").write_bytes(data.content(size))
    (mount / "folder").mkdir()
    (mount / "old name").rename(mount / "folder" / "总账 +1.bin")
    assert files(s3, bucket) == {"folder/总账 +1.bin": data.content(size)}


def test_folders_are_made_renamed_and_removed_as_a_whole(mount, s3, bucket):
    tree = data.write_tree(mount / "books", [f"{year}/{number}" for year in (2025, 2026) for number in range(5)])
    assert files(s3, bucket) == {f"books/{name}": content for name, content in tree.items()}
    (mount / "books").rename(mount / "ledgers")
    assert files(s3, bucket) == {f"ledgers/{name}": content for name, content in tree.items()}
    with pytest.raises(OSError, match="not empty"):
        (mount / "ledgers").rmdir()
    shutil.rmtree(mount / "ledgers" / "2025")
    assert files(s3, bucket) == {f"ledgers/2026/{n}": tree[f"2026/{n}"] for n in range(5)}
    shutil.rmtree(mount / "ledgers")
    assert not keys_of(s3, bucket)


def test_times_and_modes_survive_a_remount(s3fs, s3, bucket):
    """They are metadata, changed by a copy of the object onto itself."""
    with s3fs.mounted() as mountpoint:
        data.write_old(mountpoint / "file", data.content(SIZE))
        os.chmod(mountpoint / "file", 0o640)
    with s3fs.mounted() as mountpoint:
        status = (mountpoint / "file").stat()
        assert (int(status.st_mtime), status.st_mode & 0o777) == (1_700_000_000, 0o640)
        assert (mountpoint / "file").read_bytes() == data.content(SIZE)
    assert read(s3, bucket, "file") == data.content(SIZE)


def test_nasty_names_are_files(mount, s3, bucket):
    tree = data.write_tree(mount, data.NASTY_NAMES)
    assert files(s3, bucket) == tree
    assert data.read_tree(mount) == tree
