"""Fixtures: the matrix of targets, a bucket that is cross-checked at the end, proxies made to measure.

Options: `--full` (long tests too), `--no-rgw` (embedded sites only), `--in-turn` (each test over HTTP or TLS), `--direct=rgw|localstack` (the tests tried on a
real server without the proxy; what looks behind the proxy is then skipped).
"""

import contextlib
import os
import pathlib
import re
import secrets
import sys
import zlib

import known_gaps
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from common import audit, places, rgw, run  # noqa: E402
from common import target as targets
from common.certs import Authority  # noqa: E402
from common.data import FIVE_MIB  # noqa: E402
from common.demo import Demo  # noqa: E402
from common.proxy import Proxy, Settings  # noqa: E402
from common.sites import Site  # noqa: E402
from faults.tcp_proxy import FaultProxy  # noqa: E402


# Footers, and what little is asked about them.
LITTLE = 64 * 1024
SITE_BYTES = re.compile(r"^strongroom_site_(?:sent|received)_bytes_total\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the long tests too")
    parser.addoption("--no-rgw", action="store_true", help="embedded sites only")
    parser.addoption("--in-turn", action="store_true", help="each test over HTTP or over TLS, not both")
    parser.addoption("--direct", choices=("rgw", "localstack"), help="try the tests on a server, without the proxy")


def pytest_configure(config):
    run.begin(config)


def pytest_unconfigure(config):
    run.end(config)


def pytest_sessionfinish(session, exitstatus):
    run.note(session.config, exitstatus)


def pytest_generate_tests(metafunc):
    # A module may have its own `target`.
    if "target" in metafunc.fixturenames and not hasattr(metafunc.module, "target"):
        backends = _backends(metafunc.config)
        # RGW 16 refuses checksum trailers, which SDKs send over TLS: by itself it can only be tried over HTTP.
        schemes = {"direct_rgw": ["http"]}
        matrix = [(backend, scheme) for backend in backends for scheme in schemes.get(backend, ["http", "tls"])]
        metafunc.parametrize("target", matrix, ids=["-".join(pair) for pair in matrix], indirect=True)


def _backends(config) -> list[str]:
    if direct := config.getoption("--direct"):
        return [f"direct_{direct}"]
    return ["embedded"] if config.getoption("--no-rgw") else ["embedded", "rgw"]


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full"):
        items[:] = [item for item in items if "full" not in item.keywords]
    if config.getoption("--no-rgw"):
        items[:] = [item for item in items if "rgw" not in item.keywords]
    if config.getoption("--in-turn"):
        items[:] = [item for item in items if _has_its_turn(item)]
    for item in items:
        if why := known_gaps.reason(item.nodeid):
            item.add_marker(pytest.mark.xfail(reason=why, strict=False))


def _has_its_turn(item) -> bool:
    """Half of the tests that run over HTTP and TLS run over each; always the same half."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if "target" not in parameters or hasattr(item.module, "target"):
        return True
    _, scheme = parameters["target"]
    other = zlib.crc32(item.nodeid.replace(f"-{scheme}", "").encode()) % 2
    return scheme == ("http", "tls")[other]


# --- what lives as long as the worker


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """The CA that every TLS client of this worker trusts."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def worker_folder() -> pathlib.Path:
    """A folder of this worker that survives a failed run."""
    folder = places.run_folder() / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    folder.mkdir(exist_ok=True)
    return folder


class Pool:
    """Sites and proxies by kind, started when first asked for, all stopped (and checked) at the end."""

    def __init__(self, folder: pathlib.Path, authority: Authority):
        self.folder, self.authority = folder, authority
        self._demo: Demo | None = None
        self._targets: dict[tuple[str, str], targets.Target] = {}
        self._terminators: list[FaultProxy] = []

    def sites(self, backend: str) -> list[Site]:
        """Primary and backup of that kind."""
        if backend == "rgw":
            return rgw.pair()
        if self._demo is None:
            self._demo = Demo(self.folder / "demo").start()
        return self._demo.sites()

    def data(self, site: Site) -> pathlib.Path:
        """Where an embedded site keeps its bytes."""
        return self._demo.data / site.name

    def target(self, backend: str, scheme: str) -> targets.Target:
        """The shared target of that kind."""
        if (backend, scheme) not in self._targets:
            make = self._direct if backend.startswith("direct_") else self._proxied
            self._targets[backend, scheme] = make(backend, scheme)
        return self._targets[backend, scheme]

    def _proxied(self, backend: str, scheme: str) -> targets.Target:
        settings = Settings(self.sites(backend))
        if scheme == "tls":
            settings.tls, settings.ca = self.authority.issue(), self.authority.ca
        return targets.of_proxy(Proxy(self.folder / f"{backend}-{scheme}", settings).start(), backend)

    def _direct(self, backend: str, scheme: str) -> targets.Target:
        site = rgw.pair()[0] if backend == "direct_rgw" else _localstack()
        if scheme == "http":
            return targets.of_site(site, backend)
        terminator = FaultProxy(site.endpoint, tls=self.authority.issue()).__enter__()
        self._terminators.append(terminator)
        return targets.of_site(site, backend, terminator.endpoint, self.authority.ca)

    def close(self) -> None:
        """Every process must end well."""
        for terminator in self._terminators:
            terminator.__exit__()
        running = [target.proxy for target in self._targets.values() if target.proxy]
        running += [self._demo] if self._demo else []
        faults = []
        for process in running:
            try:
                process.stop()
            except Exception as fault:  # noqa: BLE001 - all of them are to be stopped
                process.kill()
                faults.append(fault)
        if faults:
            raise ExceptionGroup("processes that did not end well", faults)


def _localstack() -> Site:
    endpoint = os.environ.get("STRONGROOM_LOCALSTACK", "http://127.0.0.1:14566")
    return Site("localstack", endpoint, "test", "test")


@pytest.fixture(scope="session")
def pool(worker_folder, authority):
    """Shared sites and proxies."""
    pool = Pool(worker_folder, authority)
    yield pool
    pool.close()


# --- what a test asks for


@pytest.fixture
def target(request, pool) -> targets.Target:
    """One cell of the matrix {embedded, rgw} x {http, tls}."""
    target = pool.target(*request.param)
    if target.proxy:
        assert target.proxy.running, f"the proxy died:\n{target.proxy.stderr()[-4000:]}"
    return target


@pytest.fixture
def s3(target):
    """boto3 on the target."""
    return target.s3()


def new_bucket(s3) -> str:
    """A fresh bucket."""
    name = f"t-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def bucket(target, s3):
    """A bucket of the test's own; at the end everything in it is cross-checked at all sites, then removed."""
    name = new_bucket(s3)
    yield name
    audit.check_bucket(target, name)
    audit.remove_bucket(s3, name)


@pytest.fixture
def shared(request, pool) -> targets.Target:
    """The plain-HTTP proxy over embedded sites that tests share which do not depend on either."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.target("embedded", "http")


@pytest.fixture
def shared_tls(request, pool) -> targets.Target:
    """The same over TLS."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.target("embedded", "tls")


@pytest.fixture
def start_proxy(request, worker_folder):
    """Makes proxies for this test: `start_proxy(sites, **settings)`; each is stopped and checked at the end."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    started: list[Proxy] = []

    def start(sites, *, ready: bool = True, **settings) -> Proxy:
        folder = worker_folder / f"own-{secrets.token_hex(4)}"
        proxy = Proxy(folder, Settings(list(sites), **settings))
        started.append(proxy)
        return proxy.start() if ready else proxy

    yield start
    for proxy in started:
        if proxy.running:
            proxy.stop()


@pytest.fixture
def fault(request):
    """`fault(site)`: the site behind a fault injector, and the injector."""
    running = []

    def behind(site: Site) -> tuple[Site, FaultProxy]:
        injector = FaultProxy(site.endpoint).__enter__()
        running.append(injector)
        return site.through(injector.endpoint), injector

    yield behind
    for injector in running:
        injector.__exit__()


@pytest.fixture
def moves_nothing(target):
    """`with moves_nothing():` next to nothing goes through the proxy, to and from all sites together."""

    def moved() -> float:
        return sum(float(value) for value in SITE_BYTES.findall(target.proxy.metrics()))

    @contextlib.contextmanager
    def watch(little: int = LITTLE):
        if not target.proxy:
            yield
            return
        before = moved()
        assert before > FIVE_MIB, "the source's own bytes were counted"
        yield
        assert moved() - before < little

    return watch
