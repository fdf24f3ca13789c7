"""A bucket that was filled without Strongroom: its plain objects are read through the proxy, and sealed in place."""

import hashlib

import pytest
from common import audit
from common import target as targets
from common.data import content
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of

pytestmark = pytest.mark.timeout(180)
KEYS = {"empty": 0, "a/small": 17, "a/as long as a sealed one": 717, "b/凭证 1.pdf": 300_000, "b/large": 3_000_000}


@pytest.fixture(params=["embedded", pytest.param("rgw", marks=pytest.mark.rgw)])
def sites(request, pool):
    """A pair of raw sites."""
    if request.config.getoption("--direct"):
        pytest.skip("looks behind the proxy")
    return pool.sites(request.param)


class Legacy:
    """A bucket with plain objects at the primary, and an old plain copy of one of them at the backup."""

    def __init__(self, start_proxy, sites):
        self.proxy = start_proxy(sites, rule={"unsealed": "read"})
        self.sites, self.s3 = sites, self.proxy.s3()
        self.bucket = new_bucket(self.s3)
        self.raw = [(site.s3(), site.raw_bucket(self.bucket)) for site in sites]
        self.bodies = {key: content(length) for key, length in KEYS.items()}
        primary, name = self.raw[0]
        for key, body in self.bodies.items():
            primary.put_object(Bucket=name, Key=key, Body=body, ContentType="text/csv", Metadata={"client": "4711"})
        backup, name = self.raw[1]
        backup.put_object(Bucket=name, Key="a/small", Body=b"an older copy")

    def adopt(self, *arguments, what=None, code=0):
        """Runs the command; what it printed."""
        done = strongroom(
            "adopt", "--config", str(self.proxy.config), *arguments, what or self.bucket, check=False
        )
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def is_sealed(self, key) -> bool:
        """At every site, and alike."""
        bodies = {read(client, name, key) for client, name in self.raw if key in keys_of(client, name)}
        return len(bodies) == 1 and self.bodies[key] not in bodies


@pytest.fixture
def legacy(start_proxy, sites):
    """The bucket before anything is done to it."""
    return Legacy(start_proxy, sites)


def md5(body) -> str:
    """As an ETag."""
    return f'"{hashlib.md5(body).hexdigest()}"'


def test_plain_objects_are_served_and_listed_beside_sealed_ones(legacy):
    s3, bucket = legacy.s3, legacy.bucket
    s3.put_object(Bucket=bucket, Key="new", Body=b"sealed")
    legacy.bodies["new"] = b"sealed"
    listed = keys_of(s3, bucket)
    for key, body in legacy.bodies.items():
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body
        assert got["ETag"] == listed[key]["ETag"] == md5(body)
        assert listed[key]["Size"] == len(body)
        plain = got["ResponseMetadata"]["HTTPHeaders"].get("x-strongroom-unsealed")
        assert plain == (None if key == "new" else "true")
    assert s3.head_object(Bucket=bucket, Key="a/small")["Metadata"] == {"client": "4711"}
    part = s3.get_object(Bucket=bucket, Key="b/large", Range="bytes=1000000-1000099")
    assert part["Body"].read() == legacy.bodies["b/large"][1_000_000:1_000_100]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "b/凭证 1.pdf"})
    assert read(s3, bucket, "copy") == legacy.bodies["b/凭证 1.pdf"]
    assert "x-strongroom-unsealed" not in s3.head_object(Bucket=bucket, Key="copy")["ResponseMetadata"]["HTTPHeaders"]


def test_adopting_seals_everything_in_place_and_can_be_run_again(legacy):
    s3, bucket = legacy.s3, legacy.bucket
    said = legacy.adopt("--dry-run")
    assert f"{len(KEYS)} objects to seal, {sum(KEYS.values())} bytes; 0 sealed already, 0 refused" in said
    assert read(*legacy.raw[0], "a/small") == legacy.bodies["a/small"], "a dry run changes nothing"

    assert "2 objects sealed, 734 bytes" in legacy.adopt(what=f"{bucket}/a/")
    assert "3 objects sealed" in (said := legacy.adopt()) and "2 sealed already" in said
    assert "nothing plain is left here" in said
    assert "0 objects sealed, 0 bytes; 5 sealed already" in legacy.adopt()

    for key, body in legacy.bodies.items():
        until(lambda key=key: legacy.is_sealed(key), f"{key} is sealed at both sites", 30)
        got = s3.get_object(Bucket=bucket, Key=key)
        assert (got["Body"].read(), got["ETag"], got["ContentType"]) == (body, md5(body), "text/csv")
        assert got["Metadata"] == {"client": "4711"}
    audit.check_bucket(targets.of_proxy(legacy.proxy, "adopted"), bucket)
    assert b"unsealed_reads_total" in legacy.proxy.metrics().encode()


def test_without_the_rule_nothing_is_served_and_the_command_says_what_to_do(start_proxy, legacy):
    strict = start_proxy(
        legacy.sites, root_key=legacy.proxy.settings.root_key, system_bucket=legacy.proxy.settings.system_bucket
    )
    assert error_of(strict.s3().get_object, Bucket=legacy.bucket, Key="a/small") == ("InvalidObjectState", 403)
    legacy.proxy, refusing = strict, legacy.proxy
    said = legacy.adopt(code=1)
    assert f"{len(KEYS)} failed" in said and 'say unsealed = "read" there' in said
    legacy.proxy = refusing


def test_a_forgery_of_a_sealed_object_is_neither_served_nor_sealed(legacy):
    s3, bucket = legacy.s3, legacy.bucket
    s3.put_object(Bucket=bucket, Key="ledger", Body=b"the truth")
    raw, name = legacy.raw[0]
    raw.put_object(Bucket=name, Key="ledger", Body=b"a forgery")
    assert read(s3, bucket, "ledger") == b"the truth", "the backup tells"
    raw, name = legacy.raw[1]
    raw.put_object(Bucket=name, Key="ledger", Body=b"a forgery")
    assert error_of(s3.get_object, Bucket=bucket, Key="ledger") == ("InternalError", 500)
    said = legacy.adopt(what=f"{bucket}/ledger", code=1)
    assert "0 objects sealed" in said and "put in place of a sealed object" in said
    assert said.count("failed: ledger") == 1
