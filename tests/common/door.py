"""A door before a server: what it decides on is answered there, all else is passed on."""

import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Callable

XML = {"content-type": "application/xml"}
# Command, path with its query, headers, body; an answer's status, headers and body, or nothing: it is passed on.
Decide = Callable[[str, str, http.client.HTTPMessage, bytes], tuple[int, dict, bytes] | None]


class Door:
    """Listens on a free loopback port in a thread of its own; `endpoint` is its address."""

    def __init__(self, upstream: str, decide: Decide):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.origin = urllib.parse.urlsplit(upstream).netloc
        self._server.decide = decide
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Door":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        decided = self.server.decide(self.command, self.path, self.headers, body)
        self._answer(*(decided or self._pass_on(body)))

    def _pass_on(self, body: bytes) -> tuple[int, dict, bytes]:
        origin = http.client.HTTPConnection(self.server.origin, timeout=60)
        origin.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
        answer = origin.getresponse()
        read = answer.read()
        origin.close()
        return answer.status, dict(answer.getheaders()), read

    def _answer(self, status: int, headers: dict, body: bytes) -> None:
        self.send_response_only(status)
        left_out = ("transfer-encoding", "connection", "content-length")
        length = next((value for name, value in headers.items() if name.lower() == "content-length"), len(body))
        for name, value in headers.items():
            if name.lower() not in left_out:
                self.send_header(name, value)
        self.send_header("content-length", str(length if self.command == "HEAD" else len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names are the base class's

    def log_message(self, *_):
        """Says nothing."""
