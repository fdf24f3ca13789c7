"""What an operator sees: access log, events, metrics, health; one request id through all of them."""

import re
import subprocess
import sys

import pytest
import requests
from common import places
from common.data import content
from common.logs import FIELDS
from common.wait import until
from common.wire import Wire
from conftest import new_bucket


@pytest.fixture
def proxy(shared):
    """The shared proxy."""
    return shared.proxy


@pytest.fixture
def bucket(shared):
    """An empty bucket, removed with all that is in it."""
    s3 = shared.s3()
    name = new_bucket(s3)
    yield name
    for entry in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=entry["Key"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def wire(shared):
    """Raw requests."""
    return Wire(shared)


def event_of(proxy, request_id: str) -> dict:
    """The one event of a request."""
    found = until(
        lambda: [event for event in proxy.events.since(0) if event["request_id"] == request_id], "the event", 10
    )
    assert len(found) == 1
    return found[0]


def test_one_id_ties_response_log_and_event_together(proxy, wire, bucket):
    ids = set()
    for method, path, body in (("PUT", "k", b"x" * 100), ("GET", "k", b""), ("HEAD", "k", b""), ("GET", "no", b"")):
        answer = wire.send(method, f"/{bucket}/{path}", body)
        assert re.fullmatch(r"[0-9A-F]{16}", answer.request_id)
        assert proxy.access_log.find(answer.request_id)["key"] == path
        assert event_of(proxy, answer.request_id)["key"] == path
        ids.add(answer.request_id)
    assert len(ids) == 4


def test_the_access_log_is_s3s(proxy, wire, bucket):
    wire.send("PUT", f"/{bucket}/a%20b", content(1000))
    answer = wire.send("GET", f"/{bucket}/a%20b", headers={"Range": "bytes=0-99", "User-Agent": 'me "quoted"\u00e9'})
    record = proxy.access_log.find(answer.request_id)
    assert list(record) == FIELDS
    assert re.fullmatch(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]", record["time"])
    expected = {
        "bucket": bucket,
        "remote_ip": "127.0.0.1",
        "operation": "REST.GET.OBJECT",
        "key": "a%20b",
        "request_uri": f'"GET /{bucket}/a%20b HTTP/1.1"',
        "status": "206",
        "error_code": "-",
        "bytes_sent": "100",
        "object_size": "1000",
        "referer": '"-"',
        "sig_version": "SigV4",
        "auth_type": "AuthHeader",
        "cipher_suite": "-",
        "tls_version": "-",
    }
    assert {name: record[name] for name in expected} == expected
    assert int(record["total_time"]) >= 0 and record["host_header"] == wire.target.authority
    assert record["user_agent"].count('"') == 2, "a client cannot close the quotes"


def test_operations_have_their_s3_names(proxy, wire, bucket):
    seen = {}
    for name, method, path, query in (
        ("REST.GET.SERVICE", "GET", "/", {}),
        ("REST.GET.BUCKET", "GET", f"/{bucket}", {"list-type": "2"}),
        ("REST.HEAD.BUCKET", "HEAD", f"/{bucket}", {}),
        ("REST.GET.LOCATION", "GET", f"/{bucket}", {"location": ""}),
        ("REST.GET.UPLOADS", "GET", f"/{bucket}", {"uploads": ""}),
        ("REST.PUT.OBJECT", "PUT", f"/{bucket}/k", {}),
        ("REST.HEAD.OBJECT", "HEAD", f"/{bucket}/k", {}),
        ("REST.DELETE.OBJECT", "DELETE", f"/{bucket}/k", {}),
    ):
        answer = wire.send(method, path, query=query)
        seen[name] = proxy.access_log.find(answer.request_id)["operation"]
    assert seen == {name: name for name in seen}


def test_an_event_tells_who_what_and_where(proxy, wire, bucket, shared):
    answer = wire.send("PUT", f"/{bucket}/k", content(1000))
    event = event_of(proxy, answer.request_id)
    until(lambda: proxy.access_log.find(answer.request_id), "the record")
    assert event["access_key_id"] == shared.access_key_id
    assert event["principal"] == "tests"
    assert event["vault_key"] == "main" and event["vault_key_version"] >= 1
    assert set(event["sites_written"]) == {"primary", "backup"}
    assert event["bytes_plain"] == 1000 and event["bytes_sealed"] >= 1000 + 700
    assert shared.secret_access_key not in str(event)


def test_presigned_requests_are_marked(proxy, shared, bucket):
    s3 = shared.s3(signature_version="s3v4")
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    answer = requests.put(url, data=b"x", timeout=10)
    record = proxy.access_log.find(answer.headers["x-amz-request-id"])
    assert (record["auth_type"], record["sig_version"]) == ("QueryString", "SigV4")
    # A log must not be good for replaying: the signature is not in it.
    signature = re.search(r"X-Amz-Signature=([0-9a-f]+)", url).group(1)
    assert signature not in "".join(proxy.access_log.lines_since(0))
    assert signature not in "".join(proxy.events.lines_since(0))


def test_health_and_readiness(proxy):
    for path in ("healthz", "readyz"):
        assert requests.get(f"http://{proxy.admin}/{path}", timeout=10).status_code == 200
    assert requests.get(f"http://{proxy.admin}/nothing", timeout=10).status_code == 404


def test_readiness_follows_the_sites(start_proxy, pool, fault):
    (primary, first), (backup, second) = (fault(site) for site in pool.sites("embedded"))
    proxy = start_proxy([primary, backup], site_options={"connect_timeout": "500ms", "stall_timeout": "1s"})
    first.mode = second.mode = "refuse"
    ready = f"http://{proxy.admin}/readyz"
    s3 = proxy.s3(retries={"total_max_attempts": 1})

    def status(expected: int) -> bool:
        try:
            s3.list_buckets()
        except Exception:  # noqa: BLE001 - traffic, so that the proxy notices
            pass
        return requests.get(ready, timeout=10).status_code == expected

    until(lambda: status(503), "not ready without any site", 30)
    assert requests.get(f"http://{proxy.admin}/healthz", timeout=10).status_code == 200, "alive all the same"
    first.mode = second.mode = "pass"
    until(lambda: status(200), "ready again", 60)


def test_metrics_count_and_have_bounded_labels(proxy, wire, bucket):
    for number in range(50):
        wire.send("PUT", f"/{bucket}/some-distinct-key-{number}", b"x")
    text = proxy.metrics()
    assert re.search(r'^strongroom_requests_total\{[^}]*operation="PutObject"[^}]*\} [1-9]', text, re.M), text[:3000]
    assert "some-distinct-key" not in text and bucket not in text, "trap 15: no label per key, bucket or user"
    names = re.findall(r"^# TYPE (\S+) \S+$", text, re.M)
    assert names and all(name.startswith(("strongroom_", "process_")) for name in names), names
    helps = set(re.findall(r"^# HELP (\S+) \S+", text, re.M))
    assert helps == set(names), "every metric says what it is"


def test_every_query_of_the_dashboards_runs(proxy, wire, bucket):
    """Against a real Prometheus that scrapes this proxy."""
    wire.send("PUT", f"/{bucket}/k", b"x")
    wire.send("GET", f"/{bucket}/k")
    check = places.ROOT / "tests" / "dashboards" / "check.py"
    command = [sys.executable, str(check), "--proxy-admin", f"http://{proxy.admin}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
