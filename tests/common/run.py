"""The folder of one pytest run: made by the controller, shared by its workers, gone when all went well.

For a `conftest.py`: `begin` in `pytest_configure`, `note` in `pytest_sessionfinish`, `end` in `pytest_unconfigure`.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import tempfile
import typing

import pytest

from . import localstack, places, postgres, rgw

_FAILED = pytest.StashKey[bool]()
_ALIVE = pytest.StashKey[typing.TextIO]()
_LOCK = "alive.lock"


def begin(config) -> None:
    """Makes the folder."""
    if hasattr(config, "workerinput"):
        return
    target = places.ROOT / "target" / "clients-run"
    target.mkdir(parents=True, exist_ok=True)
    _remove_old_runs(target)
    folder = tempfile.mkdtemp(prefix="run-", dir=target)
    os.environ["STRONGROOM_RUN_DIR"] = folder
    # tmp_path lies in it too, so that nothing big stays behind elsewhere.
    os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
    config.stash[_ALIVE] = alive = open(f"{folder}/{_LOCK}", "w")
    fcntl.flock(alive, fcntl.LOCK_EX)


def note(config, exitstatus: int) -> None:
    """Whether the run failed: then its folder stays."""
    config.stash[_FAILED] = exitstatus != 0


def end(config) -> None:
    """Ends the backends that this run has started, and removes the folder."""
    if hasattr(config, "workerinput") or "STRONGROOM_RUN_DIR" not in os.environ:
        return
    rgw.stop_pair(places.run_folder())
    localstack.stop(places.run_folder())
    postgres.stop(places.run_folder())
    if not config.stash.get(_FAILED, False) and not os.environ.get("STRONGROOM_KEEP_RUN"):
        shutil.rmtree(places.run_folder(), ignore_errors=True)


def _remove_old_runs(target: pathlib.Path) -> None:
    """A failed run stays to be looked at until the next one starts; a run that still goes on is left alone."""
    for folder in target.glob("run-*"):
        with contextlib.suppress(OSError), open(folder / _LOCK, "w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
