"""A start while the KMS is out: what opens is served, what does not is named, and the proxy becomes whole by itself. No request asks a KMS."""

import secrets

import pytest
from botocore.exceptions import ClientError
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from common.sites import read
from common.wait import until
from test_keys import client_rule
from test_roots import PATIENT, REGIONS, SECRET, Key, cloud, metric, ready, root, wrapped  # noqa: F401 - `cloud` is a fixture

pytestmark = pytest.mark.timeout(300)
LOST = 'strongroom_vault_keys{state="out of reach"}'


@pytest.fixture
def door(cloud, fault):  # noqa: F811
    """Before the KMS."""
    return fault(_Upstream(cloud.endpoint))[1]


class _Upstream:
    """What the fixture `fault` takes for a site."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint

    def through(self, endpoint: str) -> str:
        return endpoint


def key_behind(door, cloud, folder):  # noqa: F811
    """A key of the KMS whose custodian comes through the door."""
    key = Key(cloud, REGIONS[0], folder)
    key.custodian["endpoint"] = door.endpoint
    return key


def answer(call, **arguments) -> tuple[int, str]:
    """Status and message; 200 when it works."""
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("ServiceUnavailable", "503"), error.response
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Message"]
    return 200, ""


class World:
    """A keyring of which one key lies under a root in a file, and the others under a root that a KMS opens. The proxy is stopped."""

    def __init__(self, start_proxy, sites, key: Key, folder):
        self.bucket, self.key = f"outage-{secrets.token_hex(6)}", key
        self.envelope = str(folder / "root-2.envelope")
        settings = {"rules": [client_rule(self.bucket)], "custodians": [key.custodian], "keys": PATIENT}
        self.proxy = start_proxy(sites, other_envelopes=[self.envelope], **settings)
        self.proxy.secrets.append(SECRET)
        s3 = self.proxy.s3()
        s3.create_bucket(Bucket=self.bucket)
        for client in ("one", "two"):
            s3.put_object(**self.at(client), Body=client.encode())
        self.upload = s3.create_multipart_upload(**self.at("one", "m"))["UploadId"]
        before = {site: self.copy(site) for site in self.proxy.settings.sites}
        strongroom("root", "rotate", "--config", str(self.proxy.config))
        assert read(s3, self.bucket, "clients/two/x") == b"two"
        self.proxy.stop()
        # As a change that broke off leaves it.
        for site, body in before.items():
            site.s3().put_object(**self.ring(site), Body=body)

    def at(self, client: str, name: str = "x") -> dict:
        return {"Bucket": self.bucket, "Key": f"clients/{client}/{name}"}

    def ring(self, site, key: str = "client-one") -> dict:
        return {"Bucket": site.raw_bucket(self.proxy.settings.system_bucket), "Key": f"keyring/v1/{key}"}

    def copy(self, site) -> bytes:
        return site.s3().get_object(**self.ring(site))["Body"].read()

    def keyring(self) -> list:
        """Names and ETags of all copies at all sites."""
        seen = []
        for site in self.proxy.settings.sites:
            listed = site.s3().list_objects_v2(Bucket=site.raw_bucket(self.proxy.settings.system_bucket), Prefix="keyring/")
            seen.append([(entry["Key"], entry["ETag"]) for entry in listed["Contents"]])
        return seen

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self.proxy.s3().list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def is_whole(self) -> bool:
        return "shortage" not in ready(self.proxy).json()


@pytest.fixture
def world(start_proxy, pool, door, cloud, tmp_path):  # noqa: F811
    return World(start_proxy, pool.sites("embedded"), key_behind(door, cloud, tmp_path), tmp_path)


def test_without_the_root_a_proxy_starts_read_only_with_what_opens_and_becomes_whole(world, door):
    proxy = world.proxy
    settings = proxy.settings
    settings.envelope, settings.other_envelopes, settings.other_roots = world.envelope, [], [str(proxy.folder / "root.key")]
    proxy.write_config()
    before = world.keyring()
    door.mode = "refuse"
    proxy.start()
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    assert ready(proxy).status_code == 200
    assert ready(proxy).json()["shortage"] == "read-only: no custodian of the root key can be asked; 3 vault keys do not open"
    assert (metric(proxy, "strongroom_read_only"), metric(proxy, LOST)) == (1, 3)
    log = proxy.stderr()
    assert "read-only: the custodians of the root cannot be asked" in log and "client-two, default, main" in log
    # What lies under keys that open.
    assert read(s3, world.bucket, "clients/one/x") == b"one"
    assert s3.head_object(**world.at("one"))["ContentLength"] == 3
    assert world.names() == ["clients/one/x", "clients/two/x"]
    # What does not.
    status, message = answer(s3.get_object, **world.at("two"))
    assert status == 503 and "client-two" in message
    assert answer(s3.head_object, **world.at("two"))[0] == 503
    # Nothing is written.
    part = {**world.at("one", "m"), "UploadId": world.upload, "PartNumber": 1}
    source = {"CopySource": world.at("one")}
    for call, arguments in (
        (s3.put_object, {**world.at("one"), "Body": b"new"}),
        (s3.put_object, {**world.at("two"), "Body": b"new"}),
        (s3.put_object, {**world.at("three"), "Body": b"new"}),
        (s3.copy_object, {**world.at("one", "copy"), **source}),
        (s3.create_multipart_upload, world.at("one", "n")),
        (s3.upload_part, {**part, "Body": b"part"}),
    ):
        status, message = answer(call, **arguments)
        assert status == 503 and "Nothing can be written now" in message, (call, message)
    assert world.keyring() == before

    door.mode = "pass"
    until(world.is_whole, "the root is there", 30)
    assert (metric(proxy, "strongroom_read_only"), metric(proxy, LOST)) == (0, 0)
    assert read(s3, world.bucket, "clients/one/x") == b"one" and read(s3, world.bucket, "clients/two/x") == b"two"
    for client in ("one", "two", "three"):
        s3.put_object(**world.at(client, "new"), Body=b"new")
        assert read(s3, world.bucket, f"clients/{client}/new") == b"new"
    etag = s3.upload_part(**part, Body=b"part")["ETag"]
    ended = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(**world.at("one", "m"), UploadId=world.upload, MultipartUpload=ended)
    assert read(s3, world.bucket, "clients/one/m") == b"part"


def test_without_another_root_what_opens_is_read_and_written_and_no_key_is_made(world, door):
    proxy = world.proxy
    before = world.keyring()
    door.mode = "refuse"
    proxy.start()
    s3 = proxy.s3(retries={"total_max_attempts": 1})
    assert ready(proxy).json()["shortage"] == "no custodian of another root key can be asked; 3 vault keys do not open"
    assert (metric(proxy, "strongroom_read_only"), metric(proxy, LOST)) == (0, 3)
    s3.put_object(**world.at("one", "new"), Body=b"new")
    assert read(s3, world.bucket, "clients/one/x") == b"one" and read(s3, world.bucket, "clients/one/new") == b"new"
    for call, arguments in ((s3.get_object, world.at("two")), (s3.put_object, {**world.at("two"), "Body": b"new"})):
        status, message = answer(call, **arguments)
        assert status == 503 and "client-two" in message
    assert answer(s3.put_object, **world.at("three"), Body=b"new")[0] == 503
    assert world.keyring() == before
    door.mode = "pass"
    until(world.is_whole, "the other root is there", 30)
    assert read(s3, world.bucket, "clients/two/x") == b"two"
    # A key that could not be made is not tried again within a second.
    until(lambda: answer(s3.put_object, **world.at("three"), Body=b"three")[0] == 200, "the key is made", 10)
    assert read(s3, world.bucket, "clients/three/x") == b"three"


def test_a_copy_that_does_not_open_may_be_newer_than_one_that_does(world, door):
    """The key was disabled under the new root; one site still has it enabled, under the old one."""
    proxy = world.proxy
    old, site = {}, proxy.settings.sites[1]
    for there in proxy.settings.sites:
        old[there] = world.copy(there)
    door.mode = "pass"
    strongroom("root", "rotate", "--config", str(proxy.config), check=False)
    strongroom("key", "disable", "--config", str(proxy.config), "client-one")
    site.s3().put_object(**world.ring(site), Body=old[site])
    door.mode = "refuse"
    proxy.spawn()
    assert proxy.end() == 1, "nothing can be relied on"
    assert "cannot be asked" in proxy.stderr()


def test_a_refusal_is_no_outage_and_what_opens_nothing_starts_nothing(world, door):
    proxy = world.proxy
    world.key.kms.disable_key(KeyId=world.key.id)
    proxy.spawn()
    assert proxy.end() == 1 and "disabled" in proxy.stderr()
    world.key.kms.enable_key(KeyId=world.key.id)
    # With the first root alone nothing of the new keyring opens once all of it lies under the next one.
    strongroom("root", "rotate", "--config", str(proxy.config), check=False)
    door.mode = "refuse"
    proxy.spawn()
    assert proxy.end() == 1
    assert f"{world.key.name} cannot be asked" in proxy.stderr()


def test_no_request_asks_the_kms(start_proxy, pool, tmp_path, door, cloud):  # noqa: F811
    key = key_behind(door, cloud, tmp_path)
    name = f"outage-{secrets.token_hex(6)}"
    settings = {"rules": [client_rule(name)], "keys": {"recheck": "1h"}}
    proxy = wrapped(start_proxy, pool.sites("embedded"), tmp_path, [key.custodian], **settings).start()
    s3 = proxy.s3()
    until(lambda: metric(proxy, f'strongroom_root_custodian_up{{custodian="{key.name}"}}') == 1, "it was asked at the start")
    asked = (door.connections, door.sent)
    assert asked[1] > 0
    s3.create_bucket(Bucket=name)
    for client in ("one", "two", "three"):
        where = {"Bucket": name, "Key": f"clients/{client}/x"}
        s3.put_object(**where, Body=content(FIVE_MIB + 7))
        s3.copy_object(Bucket=name, Key=f"clients/{client}/copy", CopySource=where)
        upload = s3.create_multipart_upload(**where)["UploadId"]
        part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=content(1000))["ETag"]
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
        for _ in range(20):
            assert len(read(s3, name, where["Key"])) == 1000
            assert s3.head_object(**where)["ContentLength"] == 1000
            assert len(s3.list_objects_v2(Bucket=name)["Contents"]) >= 2
    s3.delete_object(Bucket=name, Key="clients/one/copy")
    assert (door.connections, door.sent) == asked
    root(proxy, "show")
    assert door.sent > asked[1], "what goes through the door is seen"
