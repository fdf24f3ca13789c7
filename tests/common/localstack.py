"""LocalStack: its S3, started once per run and shared by all workers; and one of a test's own, for its KMS."""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import signal
import subprocess

import boto3

from . import places
from .ports import free_port
from .sites import Site

_FOLDER = "localstack"


def _start() -> int:
    return _start_in(places.run_folder() / _FOLDER)


def _start_in(folder: pathlib.Path) -> int:
    port, script, log = free_port(), places.ROOT / "scripts" / "localstack-up", folder.with_suffix(".out")
    with open(log, "w") as out:
        done = subprocess.run(["bash", str(script), str(folder), str(port)], stdout=out, stderr=out, timeout=180, check=False)
    if done.returncode != 0:
        raise RuntimeError(log.read_text())
    return port


class Own:
    """A LocalStack that a test may kill."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.endpoint = f"http://127.0.0.1:{_start_in(folder)}"

    def kms(self, region: str):
        """A boto3 client of its KMS."""
        return boto3.client("kms", region, endpoint_url=self.endpoint, aws_access_key_id="test", aws_secret_access_key="test")

    def kill(self) -> None:
        """kill -9."""
        stop(self.folder.parent, self.folder.name)


def site() -> Site:
    """The running server."""
    port = places.once(_FOLDER, _start)
    return Site(_FOLDER, f"http://127.0.0.1:{port}", "test", "test")


def pair() -> list[Site]:
    """A primary and a backup: the running server twice, under prefixes that nobody else has."""
    there = site()
    return [
        dataclasses.replace(there, name=name, bucket_prefix=f"{name[0]}{secrets.token_hex(3)}-")
        for name in ("primary", "backup")
    ]


def stop(run_folder: pathlib.Path, name: str = _FOLDER) -> None:
    """Ends what was started there."""
    pid = run_folder / name / "pid"
    if pid.is_file():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)
