"""Free TCP ports without races: every worker hands out its own stretch below the ephemeral range."""

import itertools
import os
import socket

_FIRST = 15000
_PER_WORKER = 1000


def _own_stretch():
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw9")[2:]) % 10
    start = _FIRST + worker * _PER_WORKER
    offset = os.getpid() % _PER_WORKER
    return itertools.cycle([start + (offset + i) % _PER_WORKER for i in range(_PER_WORKER)])


_candidates = _own_stretch()


def is_free(port: int) -> bool:
    """Whether nobody listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(room: int = 1) -> int:
    """The first of `room` neighbouring free ports; never handed out twice in a row by this worker."""
    for _ in range(_PER_WORKER):
        first = next(_candidates)
        if all(is_free(first + i) for i in range(room)):
            for _ in range(room - 1):
                next(_candidates)
            return first
    raise RuntimeError("no free port")
