"""Modes of replication, deletes that backups keep, what is parked, and how an operator sees it."""

import pytest
from common import audit
from common import target as targets
from common.backlog import pending, replication, until_settled
from common.data import FIVE_MIB, MIB, content
from common.proxy import strongroom
from common.sites import Site, keys_of, read
from common.wait import until
from conftest import new_bucket

pytestmark = pytest.mark.timeout(180)
QUICK = {"connect_timeout": "500ms", "stall_timeout": "2s"}


def status(s3, bucket: str, key: str) -> str:
    """x-amz-replication-status, the same on HEAD and GET."""
    head = s3.head_object(Bucket=bucket, Key=key)["ReplicationStatus"]
    assert s3.get_object(Bucket=bucket, Key=key)["ReplicationStatus"] == head
    return head


def command(proxy, *arguments: str) -> str:
    """`strongroom replication ...` beside the running proxy."""
    return strongroom("replication", *arguments, "--config", str(proxy.config)).stdout


@pytest.fixture
def broken(start_proxy, fault, pool):
    """`broken(**settings)`: a proxy whose backup can be broken, its bucket, the injector, the raw sites."""

    def make(**settings):
        sites = pool.sites("embedded")
        backup, injector = fault(sites[1])
        proxy = start_proxy([sites[0], backup], site_options=QUICK, **settings)
        return proxy, new_bucket(proxy.s3()), injector, sites

    return make


def test_async_is_acknowledged_by_the_primary_and_reaches_the_backup(broken):
    proxy, bucket, injector, _ = broken(replication="async")
    s3 = proxy.s3()
    injector.mode = "hang"
    s3.put_object(Bucket=bucket, Key="small", Body=content(1000))
    s3.put_object(Bucket=bucket, Key="large", Body=content(6 * MIB))
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    where = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    etags = [s3.upload_part(**where, PartNumber=n, Body=content(FIVE_MIB))["ETag"] for n in (1, 2)]
    parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert status(s3, bucket, "small") == "PENDING"
    until(lambda: pending(proxy) >= 4, "it is pending", 20)
    assert replication(proxy, "pending_bytes") > 6 * MIB
    assert "4 pending" in command(proxy, "status")
    injector.mode = "pass"
    until_settled(proxy)
    assert status(s3, bucket, "small") == status(s3, bucket, "m") == "COMPLETED"
    audit.check_bucket(targets.of_proxy(proxy, "async"), bucket)
    assert "every site has everything" in command(proxy, "status")


def test_an_outage_stays_pending_and_a_refusal_is_parked_until_it_is_mended(start_proxy, pool):
    primary, backup = pool.sites("embedded")
    wrong = Site(backup.name, backup.endpoint, "NOBODY", "wrong-secret-of-nobody")
    proxy = start_proxy([primary, backup])
    bucket = new_bucket(proxy.s3())
    proxy.stop()
    proxy.settings.sites = [primary, wrong]
    proxy.write_config()
    proxy.start()
    s3 = proxy.s3()
    s3.put_object(Bucket=bucket, Key="refused", Body=b"body")
    until(lambda: replication(proxy, "parked_operations") == 1, "it is parked", 30)
    assert status(s3, bucket, "refused") == "FAILED"
    assert f"{bucket}/refused" in command(proxy, "parked")
    assert "1 operations are tried again" in command(proxy, "retry")
    proxy.stop()
    proxy.settings.sites = [primary, backup]
    proxy.write_config()
    proxy.start()
    # A start tries what is parked once more.
    until(lambda: s3.head_object(Bucket=bucket, Key="refused")["ReplicationStatus"] == "COMPLETED", "it is mended", 30)
    assert status(s3, bucket, "refused") == "COMPLETED"
    audit.check_bucket(targets.of_proxy(proxy, "parked"), bucket)


def test_what_is_retained_stays_at_the_backup_and_is_listed(broken):
    proxy, bucket, _, sites = broken(rule={"deletes": "retain", "retain_for": "2d"})
    s3, raw = proxy.s3(), [site.s3() for site in sites]
    for key in ("one", "two", "kept"):
        s3.put_object(Bucket=bucket, Key=key, Body=content(3000))
    s3.delete_object(Bucket=bucket, Key="one")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "two"}]})
    until(lambda: replication(proxy, "retained_objects") == 2, "they are retained", 30)
    assert set(keys_of(s3, bucket)) == {"kept"}
    names = [set(keys_of(raw[n], sites[n].raw_bucket(bucket))) for n in (0, 1)]
    assert names == [{"kept"}, {"kept", "one", "two"}]
    listed = command(proxy, "retained")
    assert f"{bucket}/one" in listed and any(term in listed for term in ("2 days 0 hours", "1 days 23 hours")), listed
    # Written again it is an object like any other.
    s3.put_object(Bucket=bucket, Key="one", Body=b"again")
    assert read(s3, bucket, "one") == b"again"
    proxy.kill()
    proxy.start()
    until_settled(proxy)
    assert {"two", "one", "kept"} == set(keys_of(raw[1], sites[1].raw_bucket(bucket))), "also after a crash"


def test_bandwidth_is_kept_to(broken):
    proxy, bucket, injector, _ = broken(worker={"bandwidth": "1MiB"})
    s3 = proxy.s3()
    injector.mode = "refuse"
    for number in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=content(MIB))
    injector.mode = "pass"
    until_settled(proxy)
    audit.check_bucket(targets.of_proxy(proxy, "slow"), bucket)
