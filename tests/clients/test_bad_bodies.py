"""Bodies that are too short, too long, too slow, cut off or forged: an S3 error or a clean close, no object, one line
in the access log, and nothing left running."""

import pathlib
import socket

import pytest
from common import audit
from common import target as targets
from common.data import content
from common.wait import until
from common.wire import STREAMING, UNSIGNED, Wire, read_answer
from conftest import new_bucket
from watch import Watch


@pytest.fixture(params=["http", "tls"])
def target(request, pool):
    """The shared proxies over embedded sites."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.target("embedded", request.param)


@pytest.fixture
def bucket(target):
    """A bucket that must be empty at the end, at both sites."""
    s3 = target.s3()
    name = new_bucket(s3)
    yield name
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    audit.sites_are_empty(target, name)
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def wire(target, bucket):
    """Raw requests."""
    return Wire(target)


@pytest.fixture
def watch(target, bucket):
    """From here on every request counts."""
    return Watch(target)


def half_close_needs_http(target) -> None:
    """Python's ssl cannot read after it has ended its own side; hang-ups are tried over TLS too."""
    if target.tls:
        pytest.skip("a half-closed connection: HTTP only")


def put_head(wire, bucket, length, key="k", payload=UNSIGNED, **headers):
    """The head of a PUT that announces `length` bytes."""
    headers = {"Content-Length": str(length), **headers}
    return wire.head("PUT", f"/{bucket}/{key}", headers=headers, payload=payload)


@pytest.mark.parametrize("sent", [0, 1, 16384, 70_000])
def test_a_client_that_hangs_up_leaves_nothing(wire, watch, bucket, sent):
    with wire.connect() as connection:
        connection.sendall(put_head(wire, bucket, 100_000) + content(sent))
    record = watch.record()
    assert record["error_code"] in ("IncompleteBody", "RequestTimeout", "-") and record["status"] != "200"


def test_a_client_that_ends_its_side_early_is_told(target, wire, watch, bucket):
    half_close_needs_http(target)
    answer = wire.raw(put_head(wire, bucket, 100_000) + content(70_000), "PUT", close=True)
    watch.refused(answer, 400, "IncompleteBody")


def test_a_client_that_ends_its_side_after_a_whole_request_gets_its_answer(target, wire, watch, bucket):
    assert wire.raw(put_head(wire, bucket, 100_000) + content(100_000), "PUT", close=True).status == 200
    watch.record()
    got = wire.raw(wire.head("GET", f"/{bucket}/k"), close=True)
    assert (got.status, got.body) == (200, content(100_000))
    target.s3().delete_object(Bucket=bucket, Key="k")


def test_a_hang_up_in_the_middle_keeps_the_old_object(target, wire, watch, bucket):
    s3 = target.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    watch.record()
    with wire.connect() as connection:
        connection.sendall(put_head(wire, bucket, 10_000_000) + content(5_000_000))
    watch.record()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    s3.delete_object(Bucket=bucket, Key="k")


def test_a_put_without_a_length_is_411(wire, watch, bucket):
    head = wire.head("PUT", f"/{bucket}/k", payload=UNSIGNED)
    watch.refused(wire.raw(head, "PUT"), 411, "MissingContentLength")


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "18446744073709551616", "0x10", ""])
def test_a_length_that_is_no_number_is_refused(wire, target, bucket, length):
    head = put_head(wire, bucket, 1).replace(b"Content-Length: 1", f"Content-Length: {length}".encode())
    answer = wire.raw(head + b"x", "PUT")
    assert answer.status in (400, 403, 411), answer
    Watch(target).alive()


def test_a_put_beyond_5_gib_is_refused_at_once(wire, watch, bucket):
    watch.refused(wire.raw(put_head(wire, bucket, 5 * 2**30 + 1), "PUT"), 400, "EntityTooLarge")


def test_two_lengths_smuggle_nothing(wire, target, bucket):
    hidden = b"DELETE /other HTTP/1.1\r\nHost: x\r\n\r\n"
    head = put_head(wire, bucket, len(hidden)).replace(
        b"Content-Length", b"Transfer-Encoding: chunked\r\nContent-Length"
    )
    answer = wire.raw(head + b"0\r\n\r\n" + hidden, "PUT")
    assert answer.status in (400, 403, 411, 501), answer
    Watch(target).alive()


def test_bytes_beyond_the_length_are_not_the_objects(target, wire, watch, bucket):
    with wire.connect() as connection:
        connection.sendall(put_head(wire, bucket, 3) + b"abcGARBAGE\r\n\r\n")
        assert read_answer(connection, "PUT").status == 200
    until(lambda: watch.proxy.access_log.since(watch.mark), "the PUT is in the log")
    s3 = target.s3()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"abc"
    s3.delete_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("right", [True, False], ids=["no such upload", "wrong signature"])
def test_a_body_that_was_never_asked_for_desyncs_nothing(wire, target, bucket, right):
    """A client that sent `Expect: 100-continue` and got a final answer does not send its body (botocore does so, and
    would go on using the connection): the next request must not be taken for that body, so there is none."""
    query = {"partNumber": "1", "uploadId": "0" * 32}
    headers = {"Content-Length": "1", "Expect": "100-continue"}
    head = wire.head("PUT", f"/{bucket}/k", query=query, headers=headers, payload=UNSIGNED)
    if not right:
        head = head.replace(b"Signature=", b"Signature=0")
    with wire.connect() as connection:
        connection.sendall(head)
        answer = read_answer(connection, "PUT")
        assert answer.status in (400, 403, 404), answer
        # Whether a byte is the body's or the next request's cannot be told (RFC 9110, section 10.1.1).
        assert answer.headers.get("Connection", "").lower() == "close", answer.headers
        try:
            connection.sendall(wire.head("GET", "/"))
            assert connection.recv(1) == b"", "nothing more is answered on this connection"
        except ConnectionError:
            pass


# --- aws-chunked

CHUNKS = [content(65536, 1), content(65536, 2), content(100, 3)]


def test_cut_off_chunks_leave_nothing(target, wire, watch, bucket):
    half_close_needs_http(target)
    watch.refused(wire.chunked(f"/{bucket}/k", CHUNKS, cut=True), 400, "IncompleteBody")


@pytest.mark.parametrize("chunk", [0, 1, 2, 3])
def test_a_forged_chunk_signature_leaves_nothing(wire, watch, bucket, chunk):
    watch.refused(wire.chunked(f"/{bucket}/k", CHUNKS, wrong=chunk), 403, "SignatureDoesNotMatch")


def test_a_missing_closing_chunk_leaves_nothing(wire, watch, bucket):
    """The body ends exactly at a chunk's end: only the missing empty chunk tells that it was cut."""
    watch.refused(wire.chunked(f"/{bucket}/k", CHUNKS, end=False), 400, "IncompleteBody")


@pytest.mark.parametrize("difference", [-1, 1, 10_000])
def test_a_wrong_decoded_length_leaves_nothing(wire, watch, bucket, difference):
    declared = sum(map(len, CHUNKS)) + difference
    answer = wire.chunked(f"/{bucket}/k", CHUNKS, declared=declared)
    watch.refused(answer, 400, "IncompleteBody", "InvalidRequest", "EntityTooLarge")


@pytest.mark.parametrize(
    "body",
    [
        b"zz;chunk-signature=0\r\n\r\n",
        b"ffffffffffffffffff;chunk-signature=0\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"\r\n" * 100,
    ],
)
def test_malformed_chunks_leave_nothing(wire, watch, bucket, body):
    headers = {"x-amz-decoded-content-length": "5", "Content-Encoding": "aws-chunked", "Content-Length": str(len(body))}
    head = wire.head("PUT", f"/{bucket}/k", headers=headers, payload=STREAMING)
    answer = wire.raw(head + body, "PUT")
    assert answer.status in (400, 403), answer
    codes = ("IncompleteBody", "InvalidRequest", "SignatureDoesNotMatch", "InvalidChunkSizeError", "InvalidArgument")
    watch.refused(answer, answer.status, *codes)


def test_a_huge_chunk_costs_no_memory(wire, watch, bucket):
    """A signed chunk must be whole before it can be checked: what is announced too big is refused, not buffered."""
    size = 1 << 30
    start = f"{size:x};chunk-signature={'0' * 64}\r\n".encode()
    headers = {"x-amz-decoded-content-length": str(size), "Content-Encoding": "aws-chunked"}
    headers["Content-Length"] = str(size + 200)
    before = watch.proxy.memory()
    with wire.connect() as connection:
        connection.settimeout(30)
        connection.sendall(wire.head("PUT", f"/{bucket}/k", headers=headers, payload=STREAMING) + start)
        try:
            for _ in range(64):
                connection.sendall(content(1 << 20))
        except OSError:
            pass  # Refused while we were sending.
    watch.record()
    assert watch.proxy.memory() - before < 32 << 20


# --- slowness


@pytest.fixture
def impatient(start_proxy, pool):
    """A proxy that waits one second and not longer."""
    limits = {"header_timeout": "1s", "stall_timeout": "1s", "idle_timeout": "1s"}
    return targets.of_proxy(start_proxy(pool.sites("embedded"), limits=limits), "embedded")


def test_a_stalled_body_is_a_request_timeout(impatient):
    s3 = impatient.s3()
    name, wire = new_bucket(s3), Wire(impatient)
    watch = Watch(impatient)
    with wire.connect() as connection:
        connection.sendall(put_head(wire, name, 100_000) + content(20_000))
        connection.settimeout(20)
        answer = read_answer(connection, "PUT")
    watch.refused(answer, 400, "RequestTimeout")
    assert "Contents" not in s3.list_objects_v2(Bucket=name)
    audit.sites_are_empty(impatient, name)
    s3.delete_bucket(Bucket=name)


def test_a_stalled_head_is_closed(impatient):
    with Wire(impatient).connect() as connection:
        connection.sendall(b"PUT /bucket/key HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        connection.settimeout(20)
        said = connection.recv(4096)
        assert said == b"" or said.startswith(b"HTTP/1.1 408"), said
    Watch(impatient).alive()


def test_an_idle_connection_is_closed(impatient):
    wire = Wire(impatient)
    with wire.connect() as connection:
        connection.sendall(wire.head("GET", "/"))
        assert read_answer(connection).status == 200
        connection.settimeout(20)
        assert connection.recv(1) == b""


def test_a_reader_that_stalls_does_not_stay_for_ever(impatient):
    s3, wire = impatient.s3(), Wire(impatient)
    name = new_bucket(s3)
    s3.put_object(Bucket=name, Key="k", Body=content(64 << 20))
    watch = Watch(impatient)
    connection = wire.connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(wire.head("GET", f"/{name}/k"))
    record = watch.record()
    assert int(record["bytes_sent"]) < 64 << 20
    connection.close()
    audit.remove_bucket(s3, name)


def test_many_hang_ups_leak_nothing(target, wire, bucket):
    """Open files come back to what they were."""
    proxy = target.proxy

    def open_files() -> int:
        return len(list(pathlib.Path(f"/proc/{proxy.pid}/fd").iterdir()))

    target.s3().list_buckets()
    before = open_files()
    for number in range(60):
        with wire.connect() as connection:
            connection.sendall(put_head(wire, bucket, 1_000_000, key=f"k{number}") + content(30_000))
    until(lambda: open_files() <= before + 10, f"open files are {before} again", 30)
    Watch(target).alive()
