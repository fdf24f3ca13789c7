"""Credentials that are users of their own at the sites: every request of theirs goes out as that user, and nothing that the proxy does by itself.

A door before LocalStack looks at whose signature a request carries, and forbids what a test wants forbidden. (Storage that tells users apart by itself,
Ceph: the topic `users` of tests/differential.)
"""

import dataclasses
import re

import pytest
from common import localstack
from common.data import content
from common.door import XML, Door
from common.proxy import strongroom
from common.sites import read, s3_client
from common.wait import until
from conftest import new_bucket
from s3errors import error_of

pytestmark = pytest.mark.timeout(300)
PART = 5 * 1024 * 1024
ERP = ("AKERP", "erp-secret-for-tests")
SCAN = ("AKSCAN", "scan-secret-for-tests")
_DENIED = (403, XML, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that a site was sent."""

    who: str
    method: str
    path: str


class Doors:
    """Before both sites: what was asked, by whom, and what is forbidden."""

    def __init__(self):
        self.asked: list[Asked] = []
        self.forbidden: list[Asked] = []

    def decide(self, method, path, headers, _body):
        found = re.search(r"Credential=([^/]+)/", headers.get("authorization", ""))
        asked = Asked(found.group(1) if found else "", method, path)
        self.asked.append(asked)
        forbidden = any(
            (one.who, one.method) == (asked.who, asked.method) and re.search(one.path, path) for one in self.forbidden
        )
        return _DENIED if forbidden else None

    def forbid(self, who: str, method: str, path: str) -> None:
        self.forbidden.append(Asked(who, method, path))

    def who_asked(self, what: str) -> set[str]:
        return {asked.who for asked in self.asked if what in asked.path}


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def proxy(start_proxy, doors):
    """A proxy for its own credential, and for two that are users of their own."""
    with Door(localstack.site().endpoint, doors.decide) as door:
        sites = [site.through(door.endpoint) for site in localstack.pair()]
        yield start_proxy(sites, others={"erp": ERP, "scan": SCAN})


def _as(proxy, keys):
    return s3_client(proxy.endpoint, *keys, proxy.settings.region, retries={"max_attempts": 0})


def test_what_a_caller_asks_is_asked_as_them(proxy, doors):
    erp, own = _as(proxy, ERP), proxy.s3()
    bucket = new_bucket(erp)
    assert doors.who_asked(bucket) == {ERP[0]}
    key, body = "ledgers/2026.csv", content(300_000)
    erp.put_object(Bucket=bucket, Key=key, Body=body)
    assert read(erp, bucket, key) == body
    erp.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    erp.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    erp.delete_object(Bucket=bucket, Key="copy")
    # But what the proxy has to know for itself: whether the bucket has object lock.
    asked = {who for who in doors.who_asked(key)}
    assert asked == {ERP[0]}
    assert {one.who for one in doors.asked if bucket in one.path and "object-lock" not in one.path} == {ERP[0]}
    doors.asked.clear()
    assert read(own, bucket, key) == body
    assert doors.who_asked(key) == {proxy.settings.sites[0].access_key_id}, "what the other opened is not asked on as them"
    assert read(erp, bucket, key) == body
    assert {one.who for one in doors.asked[-1:]} == {ERP[0]}
    system = doors.who_asked(proxy.settings.system_bucket)
    assert system <= {proxy.settings.sites[0].access_key_id}


def test_what_a_site_denies_them_is_denied(proxy, doors):
    erp, scan = _as(proxy, ERP), _as(proxy, SCAN)
    bucket = new_bucket(erp)
    erp.put_object(Bucket=bucket, Key="a", Body=b"of erp")
    assert read(scan, bucket, "a") == b"of erp"
    for method in ("GET", "PUT", "DELETE", "POST"):
        doors.forbid(SCAN[0], method, bucket)
    for refused in (
        lambda: scan.get_object(Bucket=bucket, Key="a"),
        lambda: scan.put_object(Bucket=bucket, Key="a", Body=b"of scan"),
        lambda: scan.list_objects_v2(Bucket=bucket),
        lambda: scan.list_multipart_uploads(Bucket=bucket),
        lambda: scan.delete_object(Bucket=bucket, Key="a"),
        lambda: scan.get_bucket_acl(Bucket=bucket),
        lambda: scan.create_multipart_upload(Bucket=bucket, Key="a"),
    ):
        assert error_of(refused)[0] == "AccessDenied"
    assert read(erp, bucket, "a") == b"of erp"
    assert read(proxy.s3(), bucket, "a") == b"of erp"
    for site in proxy.settings.sites:
        assert site.s3().list_objects_v2(Bucket=site.raw_bucket(bucket))["KeyCount"] == 1


def test_whoever_may_list_need_not_be_allowed_to_read(proxy, doors):
    erp, scan = _as(proxy, ERP), _as(proxy, SCAN)
    bucket = new_bucket(erp)
    # Put by another proxy, so to speak: the index does not know its ETag.
    raw = [site.s3() for site in proxy.settings.sites]
    erp.put_object(Bucket=bucket, Key="a", Body=b"of erp")
    sealed = read(raw[0], proxy.settings.sites[0].raw_bucket(bucket), "a")
    proxy.stop()
    (proxy.folder / "state" / "index.sqlite3").unlink()
    proxy.start()
    doors.forbid(SCAN[0], "GET", f"{bucket}/a")
    listed = scan.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (listed["Size"], listed["ETag"]) == (6, erp.head_object(Bucket=bucket, Key="a")["ETag"])
    assert len(sealed) > 6
    assert error_of(scan.head_object, Bucket=bucket, Key="a")[1] == 403


def test_small_parts_go_by_whoever_began_the_upload(proxy, doors):
    erp, scan, own = _as(proxy, ERP), _as(proxy, SCAN), proxy.s3()
    bucket = new_bucket(erp)
    upload = erp.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    named = {"Bucket": bucket, "Key": "a", "UploadId": upload}
    first, last = content(PART), b"the end"
    parts = [
        {"PartNumber": number, "ETag": erp.upload_part(PartNumber=number, Body=body, **named)["ETag"]}
        for number, body in ((1, first), (2, last))
    ]
    assert error_of(scan.upload_part, PartNumber=2, Body=b"another end", **named)[0] == "AccessDenied"
    # Large parts the sites see, and decide on.
    doors.forbid(SCAN[0], "PUT", f"{bucket}/a")
    assert error_of(scan.upload_part, PartNumber=1, Body=content(PART), **named)[0] == "AccessDenied"
    assert len(scan.list_parts(**named)["Parts"]) == 2, "the site lets them"
    doors.forbid(SCAN[0], "GET", "uploadId")
    assert error_of(scan.list_parts, **named)[0] == "AccessDenied"
    doors.forbid(SCAN[0], "DELETE", "uploadId")
    assert error_of(scan.abort_multipart_upload, **named)[0] == "AccessDenied"
    assert len(erp.list_parts(**named)["Parts"]) == 2
    assert len(own.list_parts(**named)["Parts"]) == 2, "the proxy's own user sees all"
    erp.complete_multipart_upload(MultipartUpload={"Parts": parts}, **named)
    assert read(erp, bucket, "a") == first + last
    assert doors.who_asked(proxy.settings.system_bucket) <= {proxy.settings.sites[0].access_key_id}


def test_what_a_backup_missed_is_made_good_as_the_proxy(proxy, doors):
    erp = _as(proxy, ERP)
    bucket = new_bucket(erp)
    backup = proxy.settings.sites[1]
    doors.forbid(ERP[0], "PUT", f"/{backup.raw_bucket(bucket)}/a")
    erp.put_object(Bucket=bucket, Key="a", Body=b"of erp")
    def copied():
        return backup.s3().list_objects_v2(Bucket=backup.raw_bucket(bucket))["KeyCount"] == 1
    until(copied, "the backup has it", 30)
    assert read(erp, bucket, "a") == b"of erp"


def test_a_credential_that_no_site_takes_is_told_of(start_proxy, doors):
    doors.forbid(ERP[0], "GET", "^/")
    with Door(localstack.site().endpoint, doors.decide) as door:
        sites = [site.through(door.endpoint) for site in localstack.pair()]
        proxy = start_proxy(sites, others={"erp": ERP})
        told = [line for line in proxy.stderr().splitlines() if "does not take a caller's own credential" in line]
        assert len(told) == 2 and all("erp" in line for line in told)
        checked = strongroom("check", "--config", str(proxy.config), check=False)
        assert checked.returncode != 0
        assert "credential erp at primary: FAILED" in checked.stdout


def test_whoever_is_somebody_at_one_site_has_to_be_somebody_at_every_site(start_proxy, doors):
    with Door(localstack.site().endpoint, doors.decide) as door:
        sites = [site.through(door.endpoint) for site in localstack.pair()]
        proxy = start_proxy(sites, others={"erp": ERP})
        proxy.stop()
        file = proxy.folder / "credentials.toml"
        text = file.read_text()
        file.write_text(text[: text.index("[credential.at.backup]")])
        checked = strongroom("check", "--config", str(proxy.config), check=False)
        assert checked.returncode != 0 and "has no [credential.at.backup]" in checked.stdout
        served = strongroom("serve", "--config", str(proxy.config), check=False)
        assert served.returncode != 0 and "has no [credential.at.backup]" in served.stderr
