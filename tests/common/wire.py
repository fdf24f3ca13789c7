"""Requests byte by byte: SigV4 by hand (AWS documentation, "Signature Version 4"), over a bare socket.

Client libraries refuse to send what the tests of bad input need: wrong lengths, control characters, broken chunks.
"""

import dataclasses
import datetime
import hashlib
import hmac
import http.client
import io
import re
import socket
import ssl
import urllib.parse

from .target import Target

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclasses.dataclass
class Answer:
    """What came back; `code` is the S3 error code of the body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str | None:
        """S3's error code, if the body holds one."""
        found = re.search(rb"<Code>([^<]+)</Code>", self.body)
        return found.group(1).decode() if found else None

    @property
    def request_id(self) -> str:
        """x-amz-request-id."""
        return self.headers["x-amz-request-id"]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _escape(text: str, safe: str = "") -> str:
    return urllib.parse.quote(text, safe=f"-_.~{safe}")


@dataclasses.dataclass
class Signer:
    """SigV4 for one credential; `now` may lie."""

    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    now: datetime.datetime | None = None

    def time(self) -> str:
        """The x-amz-date."""
        now = self.now or datetime.datetime.now(datetime.UTC)
        return now.strftime("%Y%m%dT%H%M%SZ")

    def scope(self, date: str) -> str:
        """The credential scope."""
        return f"{date[:8]}/{self.region}/s3/aws4_request"

    def key(self, date: str) -> bytes:
        """The signing key."""
        key = _hmac(b"AWS4" + self.secret_access_key.encode(), date[:8])
        for text in (self.region, "s3", "aws4_request"):
            key = _hmac(key, text)
        return key

    def signature(self, date: str, canonical: str) -> str:
        """Of a canonical request."""
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{date}\n{self.scope(date)}\n{digest}"
        return _hmac(self.key(date), text).hex()

    def sign(self, method: str, path: str, query: dict, headers: dict, payload: str) -> dict:
        """The headers with an Authorization over all of them."""
        date = headers.get("x-amz-date") or self.time()
        headers = {**headers, "x-amz-date": date, "x-amz-content-sha256": payload}
        names = sorted(name.lower() for name in headers)
        lower = {name.lower(): " ".join(str(value).split()) for name, value in headers.items()}
        pairs = "&".join(f"{_escape(k)}={_escape(v)}" for k, v in sorted(query.items()))
        lines = "".join(f"{name}:{lower[name]}\n" for name in names)
        signed = ";".join(names)
        canonical = "\n".join([method, path, pairs, lines, signed, payload])
        signature = self.signature(date, canonical)
        credential = f"{self.access_key_id}/{self.scope(date)}"
        text = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        return {**headers, "Authorization": text}

    def chunk(self, date: str, previous: str, data: bytes) -> str:
        """Signature of one aws-chunked chunk."""
        digest = hashlib.sha256(data).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{self.scope(date)}\n{previous}\n{EMPTY_SHA256}\n{digest}"
        return _hmac(self.key(date), text).hex()

    def trailer(self, date: str, previous: str, lines: str) -> str:
        """Signature of the trailer."""
        digest = hashlib.sha256(lines.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{date}\n{self.scope(date)}\n{previous}\n{digest}"
        return _hmac(self.key(date), text).hex()


class Wire:
    """Requests to one target."""

    def __init__(self, target: Target, signer: Signer | None = None):
        self.target = target
        self.signer = signer or Signer(target.access_key_id, target.secret_access_key, target.region)

    def connect(self) -> socket.socket:
        """A connection, TLS where the target speaks it."""
        raw = self._connect()
        return self._context().wrap_socket(raw, server_hostname=self._host()) if self.target.ca else raw

    def _connect(self) -> socket.socket:
        port = int(self.target.authority.split(":")[1])
        raw = socket.create_connection((self._host(), port), timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return raw

    def _host(self) -> str:
        return self.target.authority.split(":")[0]

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.target.ca))

    def head(
        self, method: str, path: str, *, query=None, headers=None, payload=None, sign=True, raw_query=None
    ) -> bytes:
        """A request head; `path` is sent as it is and must be escaped already."""
        query, payload = query or {}, payload or EMPTY_SHA256
        headers = {"Host": self.target.authority, **(headers or {})}
        if sign:
            headers = self.signer.sign(method, path, query, headers, payload)
        pairs = raw_query if raw_query is not None else urllib.parse.urlencode(query)
        line = f"{method} {path}{'?' + pairs if pairs else ''} HTTP/1.1\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (line + lines + "\r\n").encode("utf-8")

    def send(self, method: str, path: str, body: bytes = b"", **options) -> Answer:
        """A whole request with its Content-Length (unless the headers say otherwise), and the answer."""
        headers = dict(options.pop("headers", {}))
        if body or method in ("PUT", "POST"):
            headers.setdefault("Content-Length", str(len(body)))
        options.setdefault("payload", hashlib.sha256(body).hexdigest())
        return self.raw(self.head(method, path, headers=headers, **options) + body, method)

    def raw(self, request: bytes, method: str = "GET", close: bool = False) -> Answer:
        """Sends bytes; with `close` nothing more will come from us."""
        if close and self.target.ca:
            return self._raw_tls_half_closed(request, method)
        with self.connect() as connection:
            try:
                connection.sendall(request)
                if close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # The answer may have come before all was sent.
            return read_answer(connection, method)

    def _raw_tls_half_closed(self, request: bytes, method: str) -> Answer:
        with self._connect() as raw:
            connection = TlsByHand(raw, self._context(), self._host())
            try:
                connection.sendall(request)
                connection.end()
            except OSError:
                pass  # The answer may have come before all was sent.
            return read_answer(connection, method)

    def chunked(self, path: str, chunks: list[bytes], **faults) -> Answer:
        """A PUT in signed aws-chunked form. See `chunked_body` for the faults."""
        total = sum(map(len, chunks))
        headers = {
            "x-amz-decoded-content-length": str(faults.pop("declared", total)),
            "Content-Encoding": "aws-chunked",
        }
        date = headers["x-amz-date"] = self.signer.time()
        close = faults.get("cut", False)
        # The length does not depend on the seed signature, and the seed covers the length.
        length = faults.pop("length", None) or len(
            self.chunked_body(date, "0" * 64, chunks, **{**faults, "cut": False})
        )
        headers["Content-Length"] = str(length)
        head = self.head("PUT", path, headers=headers, payload=STREAMING)
        seed = re.search(rb"Signature=([0-9a-f]{64})", head).group(1).decode()
        return self.raw(head + self.chunked_body(date, seed, chunks, **faults), "PUT", close=close)

    def chunked_body(self, date: str, seed: str, chunks: list[bytes], *, wrong=None, cut=False, end=True) -> bytes:
        """Chunks with their chained signatures. `wrong`: the chunk whose signature is spoilt; `cut`: half is missing;
        `end=False`: the closing empty chunk is missing."""
        out, previous = [], seed
        for index, data in enumerate([*chunks, *([b""] if end else [])]):
            previous = self.signer.chunk(date, previous, data)
            shown = previous[:-1] + ("0" if previous[-1] != "0" else "1") if index == wrong else previous
            out.append(f"{len(data):x};chunk-signature={shown}\r\n".encode() + data + b"\r\n")
        body = b"".join(out)
        return body[: len(body) // 2] if cut else body


class TlsByHand:
    """TLS whose sending side can be ended while the answer is still waited for, which `ssl.SSLSocket` cannot: its
    `shutdown` gives up TLS altogether, and its `unwrap` does not bear an answer that comes meanwhile."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext, name: str):
        self.raw, self.incoming, self.outgoing = raw, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self._until_done(self.tls.do_handshake)

    def sendall(self, data: bytes) -> None:
        """All of it."""
        self._until_done(lambda: self.tls.write(data))

    def end(self) -> None:
        """Sends the close_notify, and nothing after it."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # The other side has not ended its own, and should not.
        self._flush()

    def makefile(self, _mode: str) -> io.BytesIO:
        """What comes until the other side ends, as `http.client` wants it."""
        pieces = []
        try:
            while piece := self._until_done(lambda: self.tls.read(65536)):
                pieces.append(piece)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            pass
        return io.BytesIO(b"".join(pieces))

    def _flush(self) -> None:
        # Sending nothing would still raise what is wrong with the socket, before what had arrived was read.
        if data := self.outgoing.read():
            self.raw.sendall(data)

    def _until_done(self, step):
        while True:
            try:
                result = step()
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                if data := self.raw.recv(65536):
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()


def read_answer(connection: socket.socket | TlsByHand, method: str = "GET") -> Answer:
    """Reads one response."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return Answer(response.status, response.headers, response.read())
