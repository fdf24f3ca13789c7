"""Backends, each twice: by itself, and behind a proxy.

`--no-rgw` and `--no-localstack` leave one out; `--record FILE` appends every difference, meant or not, as a line of JSON.
`--at URL` adds another S3 server, for `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`: its name is `server`. Nothing is meant for it in particular.
`--as-users`: over Ceph every case runs with a credential that is a user of its own there, as those of the topic `users` always do.
"""

import dataclasses
import os
import pathlib
import sys

import pytest

_HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parent)]

import cases  # noqa: E402
from common import localstack, places, rgw, run  # noqa: E402
from common import target as targets  # noqa: E402
from common.proxy import Proxy, Settings  # noqa: E402
from common.sites import Site  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--no-rgw", action="store_true", help="without the Ceph RADOS Gateway")
    parser.addoption("--no-localstack", action="store_true", help="without LocalStack")
    parser.addoption("--at", help="compare over this S3 server as well")
    parser.addoption("--as-users", action="store_true", help="as a user of Ceph's own, not as the proxy's")
    parser.addoption("--record", help="append every difference to this file")


def pytest_configure(config):
    run.begin(config)


def pytest_unconfigure(config):
    run.end(config)


def pytest_sessionfinish(session, exitstatus):
    run.note(session.config, exitstatus)


def pytest_generate_tests(metafunc):
    if "case" not in metafunc.fixturenames:
        return
    left_out = {name for name in ("rgw", "localstack") if metafunc.config.getoption(f"--no-{name}")}
    backends = [name for name in ("localstack", "rgw") if name not in left_out]
    backends += ["server"] if metafunc.config.getoption("--at") else []
    pairs = [(backend, case) for backend in backends for case in cases.all_of_them() if _makes_sense(backend, case)]
    metafunc.parametrize("backend,case", pairs, ids=[f"{backend}-{case.name}" for backend, case in pairs])


def _makes_sense(backend: str, case: cases.Case) -> bool:
    """LocalStack checks no signatures and tells no users apart, so it cannot say what is right about them; to a body that is cut off it says nothing.

    Ceph begins no upload that asks for encryption where it was given no keys for it.
    """
    if (backend, case.name) == ("rgw", "encryption.of_parts"):
        return False
    topic = case.name.split(".")[0]
    unable = topic in ("anonymous", "forms", "presigned", "signatures", "users") or case.name == "chunked.signed.cut"
    if backend == "server":
        return topic != "users"
    return backend != "localstack" or not unable


class Pool:
    """Both sides of every backend, started when first asked for."""

    def __init__(self, folder: pathlib.Path, server: str | None):
        self.folder, self.server = folder, server
        self._pairs: dict[str, tuple[targets.Target, targets.Target]] = {}
        self._running: list = []

    def pair(self, backend: str) -> tuple[targets.Target, targets.Target]:
        """The backend itself, and the proxy over it; `rgw-users`: over Ceph, where its clients are users of their own."""
        if backend not in self._pairs:
            site, settings = getattr(self, f"_{backend.replace('-', '_')}")()
            proxy = Proxy(self.folder / f"proxy-{backend}", settings).start()
            self._running.append(proxy)
            pair = targets.of_site(site, backend), targets.of_proxy(proxy, backend)
            other = settings.others.get("other")
            self._pairs[backend] = tuple(dataclasses.replace(target, other=other) for target in pair)
        return self._pairs[backend]

    def _rgw(self):
        return rgw.pair()[0], Settings(rgw.pair())

    def _rgw_users(self):
        return rgw.pair()[0], Settings(rgw.pair(rgw.ADMIN), user=rgw.USER, others={"other": rgw.OTHER})

    def _localstack(self):
        # One server, whose other buckets are the backup's.
        site = localstack.site()
        return site, Settings([site, dataclasses.replace(site, name="backup", bucket_prefix="backup-")])

    def _server(self):
        keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        site = Site("primary", self.server, *keys, bucket_prefix="primary-")
        return dataclasses.replace(site, bucket_prefix=""), Settings([site, dataclasses.replace(site, name="backup", bucket_prefix="backup-")])

    def close(self) -> None:
        """Proxies before what they stand on."""
        for process in self._running[::-1]:
            process.stop()


@pytest.fixture(scope="session")
def pool(request):
    """Shared by the cases of one worker."""
    folder = places.run_folder() / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    folder.mkdir(exist_ok=True)
    pool = Pool(folder, request.config.getoption("--at"))
    yield pool
    pool.close()
