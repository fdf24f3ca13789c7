"""LocalStack's S3, started once per run and shared by all workers."""

import contextlib
import dataclasses
import os
import pathlib
import secrets
import signal
import subprocess

from . import places
from .ports import free_port
from .sites import Site

_FOLDER = "localstack"


def _start() -> int:
    port = free_port()
    script = places.ROOT / "scripts" / "localstack-up"
    with open(places.run_folder() / f"{_FOLDER}.out", "w") as out:
        command = ["bash", str(script), str(places.run_folder() / _FOLDER), str(port)]
        done = subprocess.run(command, stdout=out, stderr=out, timeout=180, check=False)
    if done.returncode != 0:
        raise RuntimeError((places.run_folder() / f"{_FOLDER}.out").read_text())
    return port


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


def stop(run_folder: pathlib.Path) -> None:
    """Ends what this run has started."""
    pid = run_folder / _FOLDER / "pid"
    if pid.is_file():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)
