"""A request that the primary did not answer comes late, over a change that was acknowledged since: the later one is read, and brought back."""

import pytest
from common import audit
from common import target as targets
from common.backlog import until_settled
from common.data import FIVE_MIB, content
from common.sites import read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of, succeeds
from test_kill import NEVER_RETRY

pytestmark = pytest.mark.timeout(300)
QUICK = {"connect_timeout": "500ms", "stall_timeout": "1s"}
# (A Complete that meets the outage is still sending its last part.)
LATE = ["put", "delete"]
SINCE = ["put", "delete", "complete"]


class World:
    """A proxy whose primary can be held up, and a bucket."""

    def __init__(self, start_proxy, fault, raw):
        primary, self.fault = fault(raw[0])
        self.raw = raw
        self.proxy = start_proxy([primary, raw[1]], site_options=QUICK)
        self.s3 = self.proxy.s3(**NEVER_RETRY)
        self.where = {"Bucket": new_bucket(self.s3), "Key": "object"}

    def begin(self) -> dict:
        """An upload of one part; what Complete is told."""
        upload = self.s3.create_multipart_upload(**self.where)["UploadId"]
        part = self.s3.upload_part(**self.where, UploadId=upload, PartNumber=1, Body=content(FIVE_MIB, 7))
        return {"UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}

    def change(self, kind: str, body: bytes, upload: dict) -> None:
        """Makes the change."""
        if kind == "put":
            self.s3.put_object(**self.where, Body=body)
        elif kind == "delete":
            self.s3.delete_object(**self.where)
        else:
            self.s3.complete_multipart_upload(**self.where, **upload)

    def held(self, site) -> str | None:
        """The ETag of what a site holds."""
        listed = site.s3().list_objects_v2(Bucket=self.where["Bucket"]).get("Contents", [])
        return listed[0]["ETag"] if listed else None

    def expect(self, body: bytes | None) -> None:
        """What clients read of the object, and are told of it; `None`: there is none."""
        if body is None:
            assert error_of(self.s3.get_object, **self.where)[0] == "NoSuchKey"
            assert error_of(self.s3.head_object, **self.where)[1] == 404
        else:
            assert read(self.s3, self.where["Bucket"], "object") == body
            assert self.s3.head_object(**self.where)["ContentLength"] == len(body)


@pytest.mark.parametrize("since", SINCE)
@pytest.mark.parametrize("late", LATE)
def test_what_was_acknowledged_since_is_brought_back(start_proxy, fault, pool, late, since):
    world = World(start_proxy, fault, pool.sites("embedded"))
    world.s3.put_object(**world.where, Body=b"at first")
    upload = world.begin()

    world.fault.mode = "hang"
    _, status = error_of(lambda: world.change(late, b"the one that comes late", upload))
    assert status == 503
    world.fault.mode = "hold"
    # (The circuit breaker may still be open.)
    body = content(70_000, 3)
    until(lambda: succeeds(world.change, since, body, upload), "a later change is acknowledged", 30)
    before = world.held(world.raw[0])
    world.fault.mode = "pass"
    if (late, since) != ("delete", "delete"):
        until(lambda: world.held(world.raw[0]) != before, "the late one has come", 10)

    acknowledged = {"put": body, "delete": None, "complete": content(FIVE_MIB, 7)}[since]
    world.expect(acknowledged)
    until_settled(world.proxy, 90)
    world.expect(acknowledged)
    audit.check_bucket(targets.of_proxy(world.proxy, "stragglers"), world.where["Bucket"])


def test_what_was_not_answered_since_is_no_reason_to_lose_what_was_acknowledged(start_proxy, fault, pool):
    world = World(start_proxy, fault, pool.sites("embedded"))
    world.fault.mode = "hang"
    # Larger than the one after: it comes last.
    assert error_of(lambda: world.change("put", content(1_500_000), {}))[1] == 503
    world.fault.mode = "hold"
    until(lambda: succeeds(world.change, "put", b"acknowledged", {}), "a later change is acknowledged", 30)
    world.fault.mode = "hang"
    assert error_of(lambda: world.change("put", b"not answered", {}))[1] == 503
    before = world.held(world.raw[0])
    world.fault.mode = "pass"
    until(lambda: world.held(world.raw[0]) != before, "one of the others has come", 10)

    until(lambda: succeeds(lambda: world.s3.head_object(**world.where)), "the primary serves again", 30)
    assert read(world.s3, world.where["Bucket"], "object") in (b"acknowledged", b"not answered")
    until_settled(world.proxy, 90)
    assert read(world.s3, world.where["Bucket"], "object") in (b"acknowledged", b"not answered")
    audit.check_bucket(targets.of_proxy(world.proxy, "stragglers"), world.where["Bucket"])
