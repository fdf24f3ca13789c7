"""A rule's retention becomes object lock wherever a site's bucket has it, and nowhere else."""

import datetime

import pytest
from botocore.exceptions import ClientError
from common import localstack
from common.backlog import pending
from common.data import FIVE_MIB, MIB, content
from common.proxy import strongroom
from common.wait import until

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


def rules(bucket):
    return [
        {"name": "ledgers", "match": f"{bucket}/ledgers/**", "retention": "30y"},
        {"name": "papers", "match": f"{bucket}/papers/**", "retention": "10d", "retention_mode": "compliance"},
    ]


def lock_at(site, bucket, key):
    """Mode and date of the current version, as the site tells them."""
    head = site.s3().head_object(Bucket=site.raw_bucket(bucket), Key=key)
    return head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")


def in_years(date, years):
    """About so many years from now."""
    return abs(date - NOW.replace(year=NOW.year + years, day=min(NOW.day, 28))) < 4 * DAY


@pytest.fixture
def sites():
    return localstack.pair()


@pytest.fixture
def locked(start_proxy, sites):
    """A proxy, and a bucket with object lock at both sites."""
    bucket = "kept"
    proxy = start_proxy(sites, rules=rules(bucket))
    s3 = proxy.s3()
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return proxy, s3, bucket


def test_every_way_to_write_an_object_keeps_it(locked, sites):
    _, s3, bucket = locked
    s3.put_object(Bucket=bucket, Key="ledgers/put", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="ledgers/parts")["UploadId"]
    parts = [
        s3.upload_part(Bucket=bucket, Key="ledgers/parts", UploadId=upload, PartNumber=n, Body=content(FIVE_MIB)) for n in (1, 2)
    ]
    done = {"Parts": [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(parts, 1)]}
    s3.complete_multipart_upload(Bucket=bucket, Key="ledgers/parts", UploadId=upload, MultipartUpload=done)
    s3.put_object(Bucket=bucket, Key="loose", Body=content(6 * MIB))
    for source in ("loose", "ledgers/put"):
        s3.copy_object(Bucket=bucket, Key=f"ledgers/copy-of-{source}", CopySource={"Bucket": bucket, "Key": source})
    for key in ("ledgers/put", "ledgers/parts", "ledgers/copy-of-loose", "ledgers/copy-of-ledgers/put"):
        for site in sites:
            mode, date = lock_at(site, bucket, key)
            assert mode == "GOVERNANCE" and in_years(date, 30), (site.name, key, mode, date)
    assert all(lock_at(site, bucket, "loose") == (None, None) for site in sites)


def test_a_version_cannot_be_deleted_before_its_time(locked, sites):
    _, s3, bucket = locked
    version = s3.put_object(Bucket=bucket, Key="papers/id", Body=b"x")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="papers/id", VersionId=version)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="papers/id", VersionId=version, BypassGovernanceRetention=True)
    assert {lock_at(site, bucket, "papers/id")[0] for site in sites} == {"COMPLIANCE"}
    assert s3.get_object(Bucket=bucket, Key="papers/id")["Body"].read() == b"x"


def test_a_client_may_ask_for_more_and_not_for_less(locked, sites):
    _, s3, bucket = locked
    for days, expected in ((1, 10), (20, 20)):
        own = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": NOW + days * DAY}
        s3.put_object(Bucket=bucket, Key=f"papers/{days}", Body=b"x", **own)
        for site in sites:
            mode, date = lock_at(site, bucket, f"papers/{days}")
            assert mode == "COMPLIANCE" and abs(date - NOW - expected * DAY) < DAY


def test_a_backup_without_lock_has_the_object_all_the_same(start_proxy, sites):
    bucket = "half-kept"
    proxy = start_proxy(sites, rules=rules(bucket))
    primary, backup = sites
    primary.s3().create_bucket(Bucket=primary.raw_bucket(bucket), ObjectLockEnabledForBucket=True)
    backup.s3().create_bucket(Bucket=backup.raw_bucket(bucket))
    proxy.s3().put_object(Bucket=bucket, Key="ledgers/x", Body=b"x")
    assert lock_at(primary, bucket, "ledgers/x")[0] == "GOVERNANCE"
    assert lock_at(backup, bucket, "ledgers/x") == (None, None)
    assert pending(proxy) == 0


def test_what_a_locked_backup_gets_later_is_kept_there(start_proxy, sites):
    """`async`: the backup is written by replication alone, and only it has object lock."""
    bucket = "kept-there"
    first = {**rules(bucket)[0], "replication": "async"}
    proxy = start_proxy(sites, rules=[first])
    primary, backup = sites
    primary.s3().create_bucket(Bucket=primary.raw_bucket(bucket))
    backup.s3().create_bucket(Bucket=backup.raw_bucket(bucket), ObjectLockEnabledForBucket=True)
    proxy.s3().put_object(Bucket=bucket, Key="ledgers/x", Body=b"x")

    def there():
        try:
            return lock_at(backup, bucket, "ledgers/x")
        except ClientError:
            return None

    until(there, "the backup has it", 60)
    mode, date = there()
    assert mode == "GOVERNANCE" and in_years(date, 30)
    assert lock_at(primary, bucket, "ledgers/x") == (None, None)


def test_policy_explain_and_a_wrong_class_say_so(locked, start_proxy, sites):
    proxy, _, bucket = locked
    said = strongroom("policy", "explain", "--config", str(proxy.config), f"s3://{bucket}/ledgers/x").stdout
    assert "kept 30y (governance)" in said
    for rule, field in (
        ({"retention": "30 years"}, "rule[1].retention"),
        ({"retention_mode": "compliance"}, "rule[1].retention_mode"),
        ({"retention": "30y", "retention_mode": "for ever"}, "rule[1].retention_mode"),
    ):
        wrong = start_proxy(sites, ready=False, rules=[{"name": "odd", "match": "x/**", **rule}])
        wrong.write_config()
        refused = strongroom("check", "--config", str(wrong.config), check=False)
        assert refused.returncode == 64 and field in refused.stderr, refused.stderr
