"""Vault keys from outside: made on first use, stopped everywhere within five seconds, and S3's own words for what cannot be opened."""

import concurrent.futures
import secrets
import time

import pytest
from botocore.exceptions import ClientError
from common import postgres
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from common.sites import read
from common.wait import until

pytestmark = pytest.mark.timeout(180)

# How long a change of a key may take to be in force at every proxy, seconds.
IN_FORCE = 5


def client_rule(bucket: str) -> dict:
    return {"name": "clients", "match": f"{bucket}/clients/{{client}}/**", "key": "client-{client}"}


@pytest.fixture
def bucket_name():
    return f"keys-{secrets.token_hex(6)}"


@pytest.fixture
def twins(start_proxy, pool, bucket_name):
    """Two proxies over the same sites, keys and database."""
    sites, rules = pool.sites("embedded"), [client_rule(bucket_name)]
    one = start_proxy(sites, database=postgres.database(), rules=rules)
    same = {name: getattr(one.settings, name) for name in ("system_bucket", "root_key", "secret_access_key")}
    two = start_proxy(sites, database=one.settings.database, rules=rules, **same)
    one.s3().create_bucket(Bucket=bucket_name)
    return one, two


def key(proxy, *arguments: str, check: bool = True):
    command, *rest = arguments
    return strongroom("key", command, "--config", str(proxy.config), *rest, check=check)


def code_of(call, **arguments) -> str:
    """The error's code, or `ok`."""
    try:
        answer = call(**arguments)
        if "Body" in answer:
            answer["Body"].read()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_a_clients_key_is_made_on_first_use_by_one_of_many_and_both_proxies_use_it(twins, bucket_name):
    one, two = twins

    def put(number: int) -> None:
        proxy = twins[number % 2]
        proxy.s3().put_object(Bucket=bucket_name, Key=f"clients/acme/{number}", Body=content(100 + number))

    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        list(executor.map(put, range(24)))
    for number in range(24):
        other = twins[(number + 1) % 2]
        assert read(other.s3(), bucket_name, f"clients/acme/{number}") == content(100 + number)
    listed = key(one, "list").stdout
    assert listed.count("client-acme\tenabled\tversion 1\tserial 1") == 1, listed
    copies = [site.s3().get_object(Bucket=site.raw_bucket(one.settings.system_bucket), Key="keyring/v1/client-acme") for site in one.settings.sites]
    assert copies[0]["Body"].read() == copies[1]["Body"].read(), "the same sealed bytes at every site"


def test_a_path_that_names_no_key_is_refused_and_stored_under_no_other(twins, bucket_name):
    one, _ = twins
    for unfit in ("ACME", "a b", "\u4e00", "a+b"):
        assert code_of(one.s3().put_object, Bucket=bucket_name, Key=f"clients/{unfit}/x", Body=b"x") == "InvalidArgument"
    assert "Contents" not in one.s3().list_objects_v2(Bucket=bucket_name)


def test_a_disabled_key_stops_both_proxies_within_five_seconds_cached_or_not(twins, bucket_name):
    one, two = twins
    cached = {"Bucket": bucket_name, "Key": "clients/acme/cached"}
    other = {"Bucket": bucket_name, "Key": "clients/other/x"}
    one.s3().put_object(**cached, Body=content(300_000))
    one.s3().put_object(**other, Body=b"other")
    upload = one.s3().create_multipart_upload(Bucket=bucket_name, Key="clients/acme/m")["UploadId"]
    part = {"Bucket": bucket_name, "Key": "clients/acme/m", "UploadId": upload, "PartNumber": 1}
    for proxy in twins:
        for _ in range(3):
            assert code_of(proxy.s3().get_object, **cached) == "ok"
            assert code_of(proxy.s3().get_object, **cached, Range="bytes=5-9") == "ok", "the trailer is in the cache"
    key(one, "disable", "client-acme")
    began = time.monotonic()
    stopped = {}
    while len(stopped) < 2 and time.monotonic() - began < 20:
        for at, proxy in enumerate(twins):
            if at not in stopped and code_of(proxy.s3().get_object, **cached, Range="bytes=5-9") == "KMS.DisabledException":
                stopped[at] = time.monotonic() - began
        time.sleep(0.05)
    assert len(stopped) == 2 and max(stopped.values()) < IN_FORCE, stopped
    for proxy in twins:
        s3 = proxy.s3()
        assert code_of(s3.get_object, **cached) == "KMS.DisabledException"
        assert code_of(s3.head_object, **cached) == "400"
        assert code_of(s3.put_object, Bucket=bucket_name, Key="clients/acme/new", Body=b"x") == "KMS.DisabledException"
        assert code_of(s3.upload_part, **part, Body=content(10)) == "KMS.DisabledException"
        assert code_of(s3.copy_object, Bucket=bucket_name, Key="elsewhere", CopySource=cached) == "KMS.DisabledException"
        assert code_of(s3.get_object, **other) == "ok", "every other client is untouched"
        listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket_name)["Contents"]]
        assert listed == ["clients/acme/cached", "clients/other/x"], "names are no secret of the key"
    key(one, "enable", "client-acme")
    for proxy in twins:
        until(lambda: code_of(proxy.s3().get_object, **cached) == "ok", "the key is back", IN_FORCE)


def test_a_read_under_way_breaks_off_when_its_key_is_disabled(twins, bucket_name):
    one, _ = twins
    where = {"Bucket": bucket_name, "Key": "clients/acme/large"}
    one.s3().put_object(**where, Body=content(FIVE_MIB * 12))
    body = one.s3().get_object(**where)["Body"]
    first = body.read(1000)
    key(one, "disable", "client-acme")
    time.sleep(IN_FORCE)
    with pytest.raises(Exception):
        while body.read(1 << 20):
            pass
    assert first == content(FIVE_MIB * 12)[:1000]


def test_the_states_of_a_key_and_their_codes(twins, bucket_name):
    one, two = twins
    where = {"Bucket": bucket_name, "Key": "clients/acme/x"}
    one.s3().put_object(**where, Body=b"x")
    assert "pending deletion" in key(one, "schedule-deletion", "client-acme", "--days", "7").stdout
    until(lambda: code_of(two.s3().get_object, **where) == "KMS.KMSInvalidStateException", "it is stopped", IN_FORCE)
    for wrong in (("enable", "client-acme"), ("disable", "client-acme"), ("rotate", "client-acme")):
        assert key(one, *wrong, check=False).returncode == 1, wrong
    assert key(one, "schedule-deletion", "client-acme", "--days", "6", check=False).returncode == 1
    assert "disabled" in key(one, "cancel", "client-acme").stdout
    until(lambda: code_of(two.s3().get_object, **where) == "KMS.DisabledException", "it is disabled", IN_FORCE)
    key(one, "enable", "client-acme", "--by", "an operator")
    until(lambda: code_of(two.s3().get_object, **where) == "ok", "it is back", IN_FORCE)
    assert "by an operator" in key(one, "show", "client-acme").stdout
    assert key(one, "show", "nobody", check=False).returncode == 1
    assert key(one, "create", "client-acme", check=False).returncode == 1, "it exists"
    assert "client-new" in key(one, "create", "client-new").stdout


def test_a_rotated_key_seals_with_its_new_version_and_opens_with_every_one(twins, bucket_name):
    one, two = twins
    s3 = one.s3()
    s3.put_object(Bucket=bucket_name, Key="clients/acme/old", Body=b"old")
    assert "version 2" in key(one, "rotate", "client-acme").stdout

    def version() -> int:
        s3.put_object(Bucket=bucket_name, Key="clients/acme/new", Body=b"new")
        puts = [event for event in one.events.since(0) if event.get("key") == "clients/acme/new"]
        return puts[-1]["vault_key_version"] if puts else 0

    until(lambda: version() == 2, "the new version seals", IN_FORCE)
    for proxy in twins:
        assert read(proxy.s3(), bucket_name, "clients/acme/old") == b"old"
        assert read(proxy.s3(), bucket_name, "clients/acme/new") == b"new"


def test_only_who_may_use_a_key_can_read_and_write_with_it(twins, bucket_name):
    one, _ = twins
    where = {"Bucket": bucket_name, "Key": "clients/acme/x"}
    one.s3().put_object(**where, Body=b"x")
    key(one, "limit", "client-acme", "--encrypt", "tests", "--decrypt", "auditor")
    until(lambda: code_of(one.s3().get_object, **where) == "AccessDenied", "reading is denied", IN_FORCE)
    assert code_of(one.s3().copy_object, Bucket=bucket_name, Key="y", CopySource=where) == "AccessDenied"
    assert code_of(one.s3().put_object, **where, Body=b"y") == "ok"
    key(one, "limit", "client-acme", "--encrypt", "auditor")
    other = where | {"Key": "clients/acme/z"}
    until(lambda: code_of(one.s3().put_object, **other, Body=b"z") == "AccessDenied", "writing is denied", IN_FORCE)
    assert code_of(one.s3().put_object, **where, Body=b"z") == "AccessDenied"
    assert read(one.s3(), bucket_name, "clients/acme/x") == b"y"
