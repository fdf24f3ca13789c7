"""What is copied later, to a backup that was away or over a damaged copy, lets in whom the object lets in where it is copied from."""

import pytest
from botocore.exceptions import ClientError
from common import localstack, rgw
from common.data import content
from common.sites import read, s3_client
from common.wait import until
from conftest import new_bucket

pytestmark = pytest.mark.timeout(300)
ALL = "http://acs.amazonaws.com/groups/global/AllUsers"


def granted(site, bucket: str, key: str) -> list[tuple[str, str]]:
    """The groups of an object's ACL at a site, and what each may."""
    acl = site.s3().get_object_acl(Bucket=site.raw_bucket(bucket), Key=key)
    return [(one["Grantee"]["URI"], one["Permission"]) for one in acl["Grants"] if "URI" in one["Grantee"]]


def has(site, bucket: str, key: str) -> bool:
    """Whether the object is there."""
    return site.s3().list_objects_v2(Bucket=site.raw_bucket(bucket), Prefix=key)["KeyCount"] > 0


def read_or_none(s3, bucket: str, key: str) -> bytes | None:
    """The object, for whom it is readable."""
    try:
        return read(s3, bucket, key)
    except ClientError:
        return None


def test_a_backup_that_was_away_gets_the_acl_with_the_object(start_proxy, fault):
    primary, backup = localstack.pair()
    away, injector = fault(backup)
    quick = {"connect_timeout": "500ms", "stall_timeout": "1s"}
    s3 = start_proxy([primary, away], site_options=quick).s3()
    bucket = new_bucket(s3)
    injector.mode = "refuse"
    s3.put_object(Bucket=bucket, Key="public", Body=b"public", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"private")
    assert not has(backup, bucket, "p")
    injector.mode = "pass"
    until(lambda: has(backup, bucket, "public") and granted(backup, bucket, "public"), "the public one is there", 60)
    until(lambda: has(backup, bucket, "private"), "the private one is there", 60)
    for site in (primary, backup):
        assert granted(site, bucket, "public") == [(ALL, "READ")]
        assert granted(site, bucket, "private") == []


def test_what_is_repaired_stays_public(start_proxy):
    sites = primary, _backup = localstack.pair()
    s3 = start_proxy(list(sites)).s3()
    bucket, body = new_bucket(s3), content(200_000)
    s3.put_object(Bucket=bucket, Key="public", Body=body, ACL="public-read")
    raw, name = primary.s3(), primary.raw_bucket(bucket)
    sealed = read(raw, name, "public")
    raw.put_object(Bucket=name, Key="public", Body=b"\0" * len(sealed))
    assert granted(primary, bucket, "public") == []
    assert read(s3, bucket, "public") == body
    until(lambda: read(raw, name, "public") == sealed, "the primary is repaired", 60)
    until(lambda: granted(primary, bucket, "public") == [(ALL, "READ")], "and public again", 30)


@pytest.mark.rgw
def test_what_a_backup_gets_later_its_buckets_owner_may_read_there(start_proxy, fault):
    """Over Ceph, whose users may not read what is another's."""
    (primary, primary_way), (backup, backup_way) = map(fault, rgw.pair(rgw.ADMIN))
    proxy = start_proxy([primary, backup], others={"other": rgw.OTHER})
    other = s3_client(proxy.endpoint, *rgw.OTHER, proxy.settings.region, retries={"max_attempts": 0})
    bucket = new_bucket(other)
    backup_way.mode = "refuse"
    other.put_object(Bucket=bucket, Key="late", Body=b"late")
    backup_way.mode = "pass"
    until(lambda: has(backup, bucket, "late"), "the backup has it", 60)
    raw = s3_client(backup.endpoint, *rgw.OTHER, "us-east-1")
    until(lambda: read_or_none(raw, backup.raw_bucket(bucket), "late"), "its bucket's owner may read it", 30)
    primary_way.mode = "refuse"
    until(lambda: read_or_none(other, bucket, "late") == b"late", "the backup serves it, as the other", 30)
