"""A TCP proxy with faults, between the proxy under test and a site. It runs in a thread of the test process.

    with FaultProxy(site_port) as faults:
        faults.mode = "refuse"

Modes: `pass`; `refuse` (connections are reset at once, existing ones too); `hang` (accepted, nothing is answered or passed on until the mode ends);
`hold` (what hangs already goes on hanging, new connections pass);
`reset` (the connection breaks after `reset_after` request bytes); `cut` (it breaks after `reset_after` response
bytes); `slow` (4 KiB each 20 ms in both directions); `500` and `503` (every request is answered with InternalError, SlowDown);
`wrong` (one bit of what the site sends is flipped in every block that does not end in a head). With `tls` it also terminates TLS. `sent`
counts request bytes, `injected` connections, requests or blocks that met a fault.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import urllib.parse

_BLOCK = 65536
_SLOW_BLOCK = 4096
_SLOW_PAUSE = 0.02
_LATE = 2
_HELD = 1024 * 1024
_MODES = ("pass", "refuse", "hang", "hold", "reset", "cut", "slow", "500", "503", "wrong")
_ERRORS = {"500": ("Internal Server Error", "InternalError"), "503": ("Slow Down", "SlowDown")}


class FaultProxy:
    """Listens on a free loopback port; `endpoint` is its address."""

    def __init__(self, upstream: str, tls=None):
        parts = urllib.parse.urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls.certificate, tls.key)
        self.reset_after = 100_000
        self.connections = 0
        self.sent = 0
        self.injected = 0
        self._mode = "pass"
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        assert self._listening.wait(10), "the fault proxy did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(10)

    @property
    def endpoint(self) -> str:
        """http(s)://127.0.0.1:port."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @property
    def mode(self) -> str:
        """What happens to connections now."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        assert mode in _MODES, mode
        self._mode = mode
        if mode == "refuse":
            done = threading.Event()
            self._loop.call_soon_threadsafe(self._reset_all, done)
            assert done.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = self._loop.run_until_complete(start)
        self.port = self._server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()

    def _stop(self) -> None:
        self._server.close()
        self._reset_all(threading.Event())
        self._loop.call_later(0.05, self._loop.stop)

    def _reset_all(self, done: threading.Event) -> None:
        for writer in list(self._open):
            _reset(writer)
        done.set()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            if self._mode == "refuse":
                self.injected += 1
                return _reset(writer)
            if self._mode in _ERRORS:
                return await self._answer(reader, writer)
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
            self._open.add(upstream_writer)
            up = asyncio.create_task(self._pump(reader, upstream_writer, "reset", writer))
            down = asyncio.create_task(self._pump(upstream_reader, writer, "cut", upstream_writer))
            await asyncio.wait((up, down), return_when=asyncio.ALL_COMPLETED)
            self._open.discard(upstream_writer)
        except OSError:
            _reset(writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader, writer) -> None:
        """Reads a head, answers with an error, closes."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            self._error(writer, head.startswith(b"HEAD "))
            await writer.drain()
            # A body that nobody reads would turn the answer into a reset.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(16 * 1024 * 1024), 0.2)

    def _error(self, writer, bodiless: bool) -> None:
        reason, code = _ERRORS.get(self._mode, _ERRORS["500"])
        status = self._mode if self._mode in _ERRORS else "500"
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        self.injected += 1
        writer.write(
            f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/xml\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n".encode()
        )
        if not bodiless:
            writer.write(body)

    async def _pump(self, reader, writer, breaks_in: str, other) -> None:
        passed, held = 0, False
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                slow = self._mode == "slow"
                data = await reader.read(_SLOW_BLOCK if slow else _BLOCK)
                self.injected += self._mode in ("hang", "slow")
                while self._mode == "hang" or (held and self._mode == "hold"):
                    held = True
                    data += await _more(reader, len(data))
                if self._mode in _ERRORS and data:
                    # A connection from before: what is under way on it breaks, new ones are answered.
                    self.injected += 1
                    _reset(writer)
                    return _reset(other)
                if self._mode == "wrong" and breaks_in == "cut" and data and not data.endswith(b"\r\n\r\n"):
                    self.injected += 1
                    data = data[:-1] + bytes([data[-1] ^ 0x10])
                if slow:
                    await asyncio.sleep(_SLOW_PAUSE)
                passed += len(data)
                self.sent += len(data) if breaks_in == "reset" else 0
                if self._mode == breaks_in and passed > self.reset_after:
                    self.injected += 1
                    _reset(writer)
                    return _reset(other)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        if held:
            # Its sender is gone; a server that noticed would not carry it out.
            await asyncio.sleep(_LATE)
        with contextlib.suppress(OSError):
            writer.close()


async def _more(reader: asyncio.StreamReader, held: int) -> bytes:
    """What else comes within a moment, as a stalled network's buffers would take it."""
    start = asyncio.get_running_loop().time()
    with contextlib.suppress(OSError, TimeoutError):
        if held < _HELD and (data := await asyncio.wait_for(reader.read(_BLOCK), _SLOW_PAUSE)):
            return data
    await asyncio.sleep(max(0, start + _SLOW_PAUSE - asyncio.get_running_loop().time()))
    return b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST, so that the peer sees a broken connection and not an end."""
    with contextlib.suppress(OSError, AttributeError):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
