"""A pair of real Ceph RADOS Gateways, started once per run and shared by all workers."""

import os
import pathlib
import subprocess

from . import places
from .ports import free_port
from .sites import Site

# Of scripts/rgw-up: access key id and secret of a user, of one that may do everything, and of one that is somebody else.
USER = ("STRONGROOMTESTKEY", "strongroom-test-secret")
ADMIN = ("STRONGROOMADMINKEY", "strongroom-admin-secret")
OTHER = ("STRONGROOMOTHERKEY", "strongroom-other-secret")
# Its name there, for policies and ACLs.
OTHER_ID = "strongroom-other"


def _script() -> pathlib.Path:
    return pathlib.Path(os.environ.get("STRONGROOM_RGW_UP", places.ROOT / "scripts" / "rgw-up"))


def _start_pair() -> list[dict]:
    """Boots primary and backup at the same time; a boot takes about 15 seconds."""
    boots = []
    for name in ("primary", "backup"):
        folder, port = places.run_folder() / f"rgw-{name}", free_port(room=3)
        with open(places.run_folder() / f"rgw-{name}.out", "w") as out:
            command = ["bash", str(_script()), str(folder), str(port), "memstore"]
            boots.append((name, port, subprocess.Popen(command, stdout=out, stderr=out)))
    for name, _, boot in boots:
        if boot.wait(timeout=180) != 0:
            log = (places.run_folder() / f"rgw-{name}.out").read_text()
            raise RuntimeError(f"the Ceph RADOS Gateway did not start (packages radosgw, ceph-mon, ceph-osd?):\n{log}")
    return [{"name": name, "port": port} for name, port, _ in boots]


def pair(user: tuple[str, str] = USER) -> list[Site]:
    """Primary and backup, running, as one of their users."""
    started = places.once("rgw", _start_pair)
    return [Site(gateway["name"], f"http://127.0.0.1:{gateway['port']}", *user) for gateway in started]


def stop_pair(run_folder: pathlib.Path) -> None:
    """Ends what this run has started."""
    for folder in run_folder.glob("rgw-*/"):
        subprocess.run(["bash", str(_script().with_name("rgw-down")), str(folder)], check=False)
