"""restic: a backup repository of packs, indexes and locks that it writes, lists, range-reads and deletes itself."""

import json
import pathlib
import shutil

import pytest
from common import data
from common.sites import keys_of
from drivers.base import Program

LARGE = {"disk.img": 24 * data.MIB + 5, "deep/er/scan.tif": data.FIVE_MIB + 1}


class Restic(Program):
    """restic on one repository."""

    program = "restic"

    def __init__(self, target, folder, bucket):
        super().__init__(target, folder)
        self.bucket = bucket

    def environment(self):
        return super().environment() | {
            "RESTIC_REPOSITORY": f"s3:{self.target.endpoint}/{self.bucket}/backups/mine",
            "RESTIC_PASSWORD": "not a secret",
            "AWS_ACCESS_KEY_ID": self.target.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.target.secret_access_key,
            "AWS_DEFAULT_REGION": self.target.region,
        }

    def run(self, *arguments, **options):
        certificate = ["--cacert", self.target.ca] if self.target.ca else []
        return super().run(*certificate, "--no-cache", "-o", "s3.bucket-lookup=path", *arguments, **options)

    def records(self, *arguments) -> list[dict]:
        """What it prints with --json."""
        said = self.run("--json", *arguments)
        return [json.loads(line) for line in said.splitlines() if line.startswith(("{", "["))]

    def back_up(self) -> dict:
        """Backs `folder/tree` up; restic's summary."""
        return next(entry for entry in self.records("backup", "tree") if entry["message_type"] == "summary")

    def restore(self, snapshot: str) -> dict[str, bytes]:
        """The files of a snapshot."""
        there = self.folder / f"restored-{snapshot}"
        self.run("restore", snapshot, "--target", there)
        restored = data.read_tree(there / "tree")
        shutil.rmtree(there)
        return restored

    def check(self) -> None:
        """Reads every byte of the repository."""
        assert "no errors were found" in self.run("check", "--read-data")


@pytest.fixture
def restic(target, bucket, tmp_path):
    """restic on a new repository."""
    restic = Restic(target, tmp_path / "restic", bucket)
    restic.run("init")
    return restic


@pytest.fixture
def tree(restic) -> pathlib.Path:
    """The folder to back up: some large files, many tiny ones, an empty one, names of every kind."""
    folder = restic.folder / "tree"
    data.write_tree(folder, [f"tiny/{number:03}" for number in range(200)], size=0)
    data.write_tree(folder / "names", data.NASTY_NAMES)
    for seed, (name, size) in enumerate(LARGE.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        data.write_old(folder / name, data.content(size, seed))
    data.write_old(folder / "empty", b"")
    return folder


def test_a_restored_backup_is_the_tree(restic, tree):
    expected = data.read_tree(tree)
    assert restic.back_up()["files_new"] == len(expected)
    restic.check()
    assert restic.restore("latest") == expected


def test_a_second_backup_adds_only_what_changed_and_both_come_back(restic, tree):
    before = data.read_tree(tree)
    first = restic.back_up()
    (tree / "tiny" / "000").unlink()
    (tree / "tiny" / "001").write_bytes(b"changed")
    (tree / "added").write_bytes(data.content(data.MIB, 77))
    second = restic.back_up()
    assert (second["files_new"], second["files_changed"]) == (1, 1)
    assert data.MIB < second["data_added"] < 2 * data.MIB
    restic.check()
    assert restic.restore(first["snapshot_id"]) == before
    assert restic.restore(second["snapshot_id"]) == data.read_tree(tree)


def test_forgetting_and_pruning_leaves_a_whole_repository(restic, tree, s3, bucket):
    restic.back_up()
    (tree / "disk.img").write_bytes(data.content(data.MIB, 78))
    restic.back_up()
    stored = sum(entry["Size"] for entry in keys_of(s3, bucket).values())
    restic.run("forget", "--keep-last", "1", "--prune")
    kept = sum(entry["Size"] for entry in keys_of(s3, bucket).values())
    assert kept < stored - LARGE["disk.img"] * 9 // 10, "the packs of the forgotten file are gone"
    assert len(restic.records("snapshots")[0]) == 1
    restic.check()
    assert restic.restore("latest") == data.read_tree(tree)
    assert not [key for key in keys_of(s3, bucket) if "/locks/" in key], "every run removed its locks"
