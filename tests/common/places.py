"""Where things are: the repository, the binaries, the folder of this run. Shared by all xdist workers."""

import contextlib
import fcntl
import json
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV_BIN = ROOT / "target" / "clients-venv" / "bin"


def run_folder() -> pathlib.Path:
    """The folder of this test run; the pytest controller makes it and hands it to its workers."""
    return pathlib.Path(os.environ["STRONGROOM_RUN_DIR"])


def strongroom() -> pathlib.Path:
    """The binary under test."""
    binary = pathlib.Path(os.environ.get("STRONGROOM_BIN", ROOT / "target" / "debug" / "strongroom")).resolve()
    if not binary.is_file():
        raise RuntimeError(f"{binary} is missing: run `cargo build --ignore-rust-version` or set STRONGROOM_BIN")
    return binary


@contextlib.contextmanager
def locked(name: str):
    """Only one process of this run is inside at a time."""
    with open(run_folder() / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def once(name: str, make):
    """The JSON result of `make()`, which only the first of all workers runs."""
    with locked(name):
        result = run_folder() / f"{name}.json"
        if not result.exists():
            result.write_text(json.dumps(make()))
        return json.loads(result.read_text())
