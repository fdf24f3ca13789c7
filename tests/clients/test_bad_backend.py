"""A primary that refuses, stalls or breaks off in mid-body: the S3 error an SDK retries, no object, nothing left
running, and one line in the access log. What a backup does meanwhile: test_two_sites.py."""

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from common import audit
from common import target as targets
from common.data import MIB, content
from common.sites import keys_of
from common.wait import until
from conftest import new_bucket
from s3errors import error_of
from watch import Watch

QUICK = {"connect_timeout": "500ms", "stall_timeout": "1s"}
WAYS = ["refuse", "hang", "reset"]


@pytest.fixture
def sites(request, pool):
    """A pair of embedded sites."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.sites("embedded")


@pytest.fixture
def primary(fault, sites):
    """The primary, behind a fault injector."""
    return fault(sites[0])


@pytest.fixture
def proxy(start_proxy, sites, primary):
    """A proxy that does not wait long."""
    return start_proxy([primary[0], sites[1]], site_options=QUICK)


@pytest.fixture
def once(proxy):
    """boto3 that does not try again."""
    return proxy.s3(retries={"total_max_attempts": 1})


@pytest.fixture
def bucket(proxy, sites):
    """A bucket that must be empty at the end, at both sites."""
    s3 = proxy.s3()
    name = new_bucket(s3)
    yield name
    for site in sites:
        until(lambda site=site: not keys_of(site.s3(), site.raw_bucket(name)), f"{site.name} holds nothing", 30)
    audit.remove_bucket(s3, name)


@pytest.mark.parametrize("way", WAYS)
def test_a_primary_that_fails_in_mid_body_is_503_and_leaves_nothing(proxy, primary, once, bucket, way):
    watch = Watch(targets.of_proxy(proxy, "faulty"))
    primary[1].reset_after, primary[1].mode = MIB, way
    # More than the buffers on the way to a site that hangs: all of a body that is there may be carried out later.
    code, status = error_of(once.put_object, Bucket=bucket, Key="k", Body=content(64 * MIB))
    assert status == 503 and code in ("ServiceUnavailable", "SlowDown"), (code, status)
    record = watch.record()
    assert (record["status"], record["error_code"], record["key"]) == ("503", code, "k")
    primary[1].mode = "pass"
    until(lambda: "\nstrongroom_requests_in_flight 0\n" in proxy.metrics(), "no request runs")


def test_a_read_whose_primary_breaks_off_is_one_line(proxy, primary, once, bucket):
    once.put_object(Bucket=bucket, Key="k", Body=content(20 * MIB))
    watch = Watch(targets.of_proxy(proxy, "faulty"))
    primary[1].reset_after, primary[1].mode = 5 * MIB, "cut"
    try:
        assert once.get_object(Bucket=bucket, Key="k")["Body"].read() == content(20 * MIB)
    except (BotoCoreError, ClientError):
        pass  # Broken off: never a short body that ends cleanly.
    assert watch.record()["key"] == "k"
    primary[1].mode = "pass"
    until(lambda: once.delete_object(Bucket=bucket, Key="k"), "deleted again")
