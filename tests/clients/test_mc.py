"""mc, the MinIO client: an optional tool (`scripts/setup-clients --full` builds it), never part of what is shipped."""

import json
import pathlib

import pytest
import requests
from common import data, places
from common.checksums import ALGORITHMS
from common.sites import keys_of, read
from conftest import new_bucket
from drivers.base import CommandFailed, Program

MC = places.ROOT / "target" / "clients-go" / "mc"
LARGE = 40 * data.MIB + 9


class Mc(Program):
    """mc with one alias, `s3`."""

    program = str(MC)

    def __init__(self, target, folder):
        super().__init__(target, folder)
        if target.ca:
            trusted = folder / "config" / "certs" / "CAs"
            trusted.mkdir(parents=True)
            (trusted / "ca.pem").write_bytes(target.ca.read_bytes())
        self.run("alias", "set", "s3", target.endpoint, target.access_key_id, target.secret_access_key, "--path", "on")

    def _done(self, arguments, *options, **streams):
        ours = ["--config-dir", self.folder / "config", "--no-color", "--quiet"]
        return super()._done([*ours, *arguments], *options, **streams)

    def records(self, *arguments) -> list[dict]:
        """What it prints with --json."""
        return [json.loads(line) for line in self.run("--json", *arguments).splitlines()]


def transfers(records: list[dict]) -> list[str]:
    """The objects a mirror says it transferred."""
    return [record["source"] for record in records if "source" in record]


@pytest.fixture
def mc(target, tmp_path):
    """mc on the target."""
    if not MC.exists():
        pytest.skip("mc is not built: scripts/setup-clients --full does it, with Go")
    return Mc(target, tmp_path / "mc")


@pytest.fixture
def tree(tmp_path) -> pathlib.Path:
    """A folder to mirror."""
    folder = tmp_path / "books"
    data.write_tree(folder, ["index", "2025/一月.csv", "2025/feb +1.csv", "2026/deep/er/jan feb.csv"])
    data.write_old(folder / "scan.tif", data.content(20 * data.MIB + 7))
    data.write_old(folder / "empty", b"")
    return folder


def test_a_bucket_is_made_listed_and_removed(mc, s3):
    bucket = new_bucket(s3) + "-mc"
    mc.run("mb", f"s3/{bucket}")
    mc.run("mb", "--ignore-existing", f"s3/{bucket}")
    assert bucket + "/" in {entry["key"] for entry in mc.records("ls", "s3")}
    assert bucket in {entry["Name"] for entry in s3.list_buckets()["Buckets"]}
    mc.run("rb", f"s3/{bucket}")
    mc.run("rb", f"s3/{bucket.removesuffix('-mc')}")
    assert not any(entry["Name"].startswith(bucket[:18]) for entry in s3.list_buckets()["Buckets"])


@pytest.mark.parametrize("size", [0, 1, 16385, 20 * data.MIB + 7, LARGE])
def test_what_is_copied_up_is_cat_and_copied_down(mc, s3, bucket, tmp_path, size):
    mc.run("cp", data.file_of(size), f"s3/{bucket}/folder/object.bin")
    assert read(s3, bucket, "folder/object.bin") == data.content(size)
    mc.run("cp", f"s3/{bucket}/folder/object.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data.content(size)
    assert mc.output("cat", f"s3/{bucket}/folder/object.bin") == data.content(size)
    assert mc.output("cat", "--offset", size // 2, f"s3/{bucket}/folder/object.bin") == data.content(size)[size // 2 :]


@pytest.mark.parametrize("size", [0, 1000, LARGE])
def test_a_piped_stream_is_the_object(mc, s3, bucket, size):
    """mc does not know how long it will be."""
    mc.output("pipe", f"s3/{bucket}/piped", given=data.file_of(size))
    assert read(s3, bucket, "piped") == data.content(size)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_object_put_with_a_checksum_has_it(mc, s3, bucket, algorithm):
    mc.run("put", "--checksum", algorithm, data.file_of(16385), f"s3/{bucket}/small")
    head = s3.head_object(Bucket=bucket, Key="small", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == ALGORITHMS[algorithm](data.content(16385))
    mc.run("put", "--checksum", algorithm, "--part-size", "8MiB", data.file_of(LARGE), f"s3/{bucket}/large")
    assert (read(s3, bucket, "small"), read(s3, bucket, "large")) == (data.content(16385), data.content(LARGE))


def test_stat_says_what_the_object_is(mc, s3, bucket):
    attributes = "Content-Type=application/pdf;client=4711"
    mc.run("cp", "--attr", attributes, data.file_of(16385), f"s3/{bucket}/a.pdf")
    (stat,) = mc.records("stat", f"s3/{bucket}/a.pdf")
    head = s3.head_object(Bucket=bucket, Key="a.pdf")
    assert (stat["size"], stat["etag"]) == (16385, head["ETag"].strip('"'))
    assert head["ContentType"] == stat["metadata"]["Content-Type"] == "application/pdf"
    assert head["Metadata"]["client"] == stat["metadata"]["X-Amz-Meta-Client"] == "4711"


def test_a_second_mirror_transfers_nothing(mc, s3, bucket, tree, tmp_path):
    expected = data.read_tree(tree)
    assert len(transfers(mc.records("mirror", tree, f"s3/{bucket}/books"))) == len(expected)
    assert {key: read(s3, bucket, key) for key in keys_of(s3, bucket)} == {f"books/{n}": c for n, c in expected.items()}
    assert transfers(mc.records("mirror", tree, f"s3/{bucket}/books")) == []
    assert mc.records("diff", tree, f"s3/{bucket}/books") == []
    down = tmp_path / "down"
    assert len(transfers(mc.records("mirror", f"s3/{bucket}/books", down))) == len(expected)
    assert data.read_tree(down) == expected
    assert transfers(mc.records("mirror", f"s3/{bucket}/books", down)) == []


def test_a_mirror_follows_what_changed(mc, s3, bucket, tree):
    mc.run("mirror", tree, f"s3/{bucket}")
    (tree / "index").write_bytes(b"another length")
    (tree / "empty").unlink()
    (tree / "added").write_bytes(b"added")
    differing = mc.records("diff", tree, f"s3/{bucket}")
    assert {pathlib.Path(entry["first"] or entry["second"]).name for entry in differing} == {"index", "empty", "added"}
    mc.run("mirror", "--overwrite", "--remove", tree, f"s3/{bucket}")
    assert {key: read(s3, bucket, key) for key in keys_of(s3, bucket)} == data.read_tree(tree)


def test_a_copy_at_the_server_is_the_same_object(mc, s3, bucket):
    mc.run("cp", data.file_of(LARGE), f"s3/{bucket}/original")
    mc.run("cp", f"s3/{bucket}/original", f"s3/{bucket}/copy +1")
    mc.run("mv", f"s3/{bucket}/original", f"s3/{bucket}/moved")
    assert set(keys_of(s3, bucket)) == {"copy +1", "moved"}
    assert read(s3, bucket, "copy +1") == read(s3, bucket, "moved") == data.content(LARGE)


def test_rm_removes_exactly_the_prefix(mc, s3, bucket, tree):
    mc.run("mirror", tree, f"s3/{bucket}/books")
    mc.run("cp", data.file_of(1), f"s3/{bucket}/books-of-others")
    mc.run("rm", "--recursive", "--force", f"s3/{bucket}/books/")
    assert set(keys_of(s3, bucket)) == {"books-of-others"}
    with pytest.raises(CommandFailed, match="Object does not exist"):
        mc.run("stat", f"s3/{bucket}/books/index")


def test_a_shared_url_gives_the_object(mc, target, s3, bucket):
    mc.run("cp", data.file_of(16385), f"s3/{bucket}/for you/总账.bin")
    (shared,) = mc.records("share", "download", f"s3/{bucket}/for you/总账.bin")
    answer = requests.get(shared["share"], verify=str(target.ca) if target.ca else None, timeout=30)
    assert (answer.status_code, answer.content) == (200, data.content(16385))
