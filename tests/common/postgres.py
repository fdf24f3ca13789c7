"""Debian's PostgreSQL, started once per run and shared by all workers; every test has a database of its own."""

import pathlib
import secrets
import subprocess

from . import places
from .ports import free_port


def _start() -> dict:
    folder, port = places.run_folder() / "pg-shared", free_port()
    # Started by root it runs as another user, who has to come through.
    places.run_folder().chmod(0o711)
    command = ["bash", str(places.ROOT / "scripts" / "pg-up"), str(folder), str(port)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return {"port": port}


def database() -> str:
    """The address of a fresh, empty database."""
    port, name = places.once("postgres", _start)["port"], f"t{secrets.token_hex(8)}"
    subprocess.run(["createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", name], check=True, timeout=30)
    return f"postgres://postgres@127.0.0.1:{port}/{name}"


def stop(run_folder: pathlib.Path) -> None:
    """Ends what this run has started."""
    for folder in run_folder.glob("pg-*/"):
        subprocess.run(["bash", str(places.ROOT / "scripts" / "pg-down"), str(folder)], check=False)
