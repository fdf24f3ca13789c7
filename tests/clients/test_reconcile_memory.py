"""A million keys a side are compared in bounded memory: the listings are generated, page by page, by a server of our own."""

import http.server
import resource
import subprocess
import threading
import urllib.parse

import pytest
from common import places
from common.data import MIB
from common.process import clean_environment
from common.proxy import Proxy, Settings
from common.sites import Site

ALLOWED = 80 * MIB


class Listing(http.server.BaseHTTPRequestHandler):
    """ListObjectsV2 of `total` keys, every thousandth left out when `gaps`; ListBuckets is not needed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """One page."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        start = int(query.get("continuation-token", ["0"])[0])
        end = min(start + 1000, self.server.total)
        rows = "".join(
            f"<Contents><Key>clients/{i:09d}/voucher.pdf</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{i:032x}"</ETag><Size>717</Size><StorageClass>STANDARD</StorageClass></Contents>'
            for i in range(start, end)
            if not (self.server.gaps and i % 1000 == 999)
        )
        more = end < self.server.total
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}"
            "</ListBucketResult>"
        ).encode()
        self._answer(200, body)

    def do_HEAD(self):
        """Whether an object is there: only keys without a gap."""
        key = self.path.split("?")[0]
        number = int(key.split("/")[3])
        gone = self.server.gaps and number % 1000 == 999
        self.send_response(404 if gone else 200)
        self.send_header("Content-Length", "0" if gone else "717")
        self.send_header("ETag", f'"{number:032x}"')
        self.end_headers()

    def _answer(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def serve():
    """Starts listing servers; ends them."""
    running = []

    def start(total: int, gaps: bool) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listing)
        server.daemon_threads = True
        server.total, server.gaps = total, gaps
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("total", [50_000, pytest.param(1_000_000, marks=pytest.mark.full)], ids=["50k", "1M"])
def test_a_listing_of_any_length_needs_the_same_memory(serve, tmp_path, total):
    sites = [Site("primary", serve(total, False), "a", "secret"), Site("backup", serve(total, True), "a", "secret")]
    proxy = Proxy(tmp_path / "proxy", Settings(sites=sites))
    command = [str(places.strongroom()), "reconcile", "--config", str(proxy.config), "--bucket", "docs", "--differences"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False, timeout=900)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert done.returncode == 1, done.stderr
    missing = done.stdout.splitlines()
    assert len(missing) == total // 1000 and all(line.startswith("+ backup:docs/clients/") for line in missing)
    assert f"{total - total // 1000} same" in done.stderr
    print(f"{total} keys a side: at most {peak / MIB:.0f} MiB")
    # Other children of this process count too; where one was larger nothing can be said here.
    assert peak <= max(ALLOWED, before * 1024)
