"""Objects of both suites side by side: what they are sealed with shows, a copy changes it, and the lists of suites are kept."""

import hashlib
import re
import subprocess
import sys
import urllib.request

import pytest
from botocore.exceptions import ClientError
from common import places, sealed
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket

pytestmark = pytest.mark.timeout(180)

AES, SM4 = "aes-256-gcm", "sm4-gcm"
NUMBERS = {AES: 1, SM4: 2}
RULES = [{"name": "national", "match": "*/national/**", "key": "people", "suite": SM4}]
BOTH = {"usual/x": AES, "national/x": SM4}
COUNTED = re.compile(r'^strongroom_suite_objects_total\{suite="([a-z0-9-]+)",use="([a-z]+)"\} (\d+)$', re.MULTILINE)


@pytest.fixture
def proxy(start_proxy, pool):
    return start_proxy(pool.sites("embedded"), rules=[dict(rule) for rule in RULES])


@pytest.fixture
def bucket(proxy):
    return new_bucket(proxy.s3())


def suite_of(answer) -> str | None:
    """What a GET or HEAD says."""
    return answer["ResponseMetadata"]["HTTPHeaders"].get("x-strongroom-suite")


def head(proxy, bucket, key) -> str | None:
    return suite_of(proxy.s3().head_object(Bucket=bucket, Key=key))


def at_site(site, bucket, key) -> bytes:
    return read(site.s3(), site.raw_bucket(bucket), key)


def numbers(proxy, bucket, key) -> set[int]:
    """The byte in the trailer, at every site."""
    return {at_site(site, bucket, key)[-527] for site in proxy.settings.sites}


def error_of(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def counted(proxy) -> dict[tuple[str, str], int]:
    page = urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin_port}/metrics", timeout=10).read().decode()
    return {(suite, use): int(count) for suite, use, count in COUNTED.findall(page)}


def upload(s3, bucket, key, pieces: list[bytes], sources: list[dict] | None = None) -> None:
    """A multipart upload of these parts, or of copies of these sources."""
    where = {"Bucket": bucket, "Key": key}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    parts = []
    for number, piece in enumerate(sources or pieces, 1):
        if sources:
            etag = s3.upload_part_copy(**where, PartNumber=number, **piece)["CopyPartResult"]["ETag"]
        else:
            etag = s3.upload_part(**where, PartNumber=number, Body=piece)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


@pytest.mark.parametrize("size", [0, 1, 16384, 40_000, FIVE_MIB + 1])
def test_both_suites_live_in_one_bucket_and_say_what_they_are(proxy, bucket, size):
    s3, plain = proxy.s3(), content(size)
    for key, suite in BOTH.items():
        s3.put_object(Bucket=bucket, Key=key, Body=plain, ContentType="text/x-test", Metadata={"who": "Ada"})
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == plain and got["Metadata"] == {"who": "Ada"} and suite_of(got) == suite
        assert got["ETag"] == f'"{hashlib.md5(plain).hexdigest()}"'
        looked = s3.head_object(Bucket=bucket, Key=key)
        assert (suite_of(looked), looked["ContentLength"], looked["ContentType"]) == (suite, size, "text/x-test")
        if size > 20_000:
            ranged = s3.get_object(Bucket=bucket, Key=key, Range="bytes=16380-16390")
            assert ranged["Body"].read() == plain[16380:16391] and suite_of(ranged) == suite
        assert numbers(proxy, bucket, key) == {NUMBERS[suite]}
        raw = at_site(proxy.settings.sites[0], bucket, key)
        assert len(raw) == sealed.canonical_length(size) and not sealed.betrayals(raw, plain)
    assert {entry["Size"] for entry in keys_of(s3, bucket).values()} == {size}


def test_events_and_metrics_say_the_suite(proxy, bucket):
    s3, before = proxy.s3(), counted(proxy)
    assert set(before) == {(suite, use) for suite in (AES, SM4) for use in ("sealed", "opened")}
    for key in BOTH:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.head_object(Bucket=bucket, Key=key)
    after = counted(proxy)
    assert {what: after[what] - before[what] for what in after} == {
        (AES, "sealed"): 1,
        (AES, "opened"): 2,
        (SM4, "sealed"): 1,
        (SM4, "opened"): 2,
    }

    def told() -> set:
        events = [event for event in proxy.events.since(0) if event.get("bucket") == bucket and event.get("key")]
        return {(event["operation"], event["key"], event.get("suite")) for event in events}

    expected = {(operation, key, suite) for operation in ("PutObject", "GetObject", "HeadObject") for key, suite in BOTH.items()}
    until(lambda: told() == expected, "every event says the suite", 10)


def test_a_multipart_upload_keeps_the_suite_that_it_began_with(proxy, bucket):
    s3, pieces = proxy.s3(), [content(FIVE_MIB, 1), content(FIVE_MIB + 7, 2), content(99, 3)]
    upload(s3, bucket, "national/m", pieces)
    assert head(proxy, bucket, "national/m") == SM4 and numbers(proxy, bucket, "national/m") == {2}
    assert read(s3, bucket, "national/m") == b"".join(pieces)
    second = s3.get_object(Bucket=bucket, Key="national/m", PartNumber=2)
    assert second["Body"].read() == pieces[1] and suite_of(second) == SM4
    across = s3.get_object(Bucket=bucket, Key="national/m", Range=f"bytes={FIVE_MIB - 5}-{FIVE_MIB + 4}")
    assert across["Body"].read() == (pieces[0] + pieces[1])[FIVE_MIB - 5 : FIVE_MIB + 5]
    # The rule changes while an upload is under way.
    where = {"Bucket": bucket, "Key": "national/late"}
    where["UploadId"] = s3.create_multipart_upload(**where)["UploadId"]
    first = s3.upload_part(**where, PartNumber=1, Body=pieces[0])["ETag"]
    proxy.settings.rules[0]["suite"] = AES
    proxy.write_config()

    def rule_is_changed() -> bool:
        s3.put_object(Bucket=bucket, Key="national/x", Body=b"x")
        return head(proxy, bucket, "national/x") == AES

    until(rule_is_changed, "the rule is changed", 15)
    second = s3.upload_part(**where, PartNumber=2, Body=pieces[2])["ETag"]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert head(proxy, bucket, "national/late") == SM4
    assert read(s3, bucket, "national/late") == pieces[0] + pieces[2]


@pytest.mark.parametrize("size", [1000, FIVE_MIB + 1000])
def test_a_copy_is_of_the_suite_of_its_own_rule(proxy, bucket, size):
    s3, plain = proxy.s3(), content(size)
    for key in BOTH:
        s3.put_object(Bucket=bucket, Key=key, Body=plain, ContentType="text/x-test", Metadata={"who": "Ada"})
    for source in BOTH:
        for folder, suite in (("usual", AES), ("national", SM4)):
            key = f"{folder}/of-{source.replace('/', '-')}"
            s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": source})
            got = s3.get_object(Bucket=bucket, Key=key)
            assert got["Body"].read() == plain and suite_of(got) == suite, key
            assert (got["ContentType"], got["Metadata"]) == ("text/x-test", {"who": "Ada"})
            assert numbers(proxy, bucket, key) == {NUMBERS[suite]}
            # A body is taken over within a suite, and never from one to the other.
            salts = [sealed.message_salt(at_site(proxy.settings.sites[0], bucket, name)) for name in (source, key)]
            assert (salts[0] == salts[1]) == (suite == BOTH[source] and size > FIVE_MIB), key


@pytest.mark.parametrize("size", [1000, FIVE_MIB + 1000])
def test_a_copy_onto_itself_takes_over_the_suite_of_a_changed_rule(proxy, bucket, size):
    s3, plain = proxy.s3(), content(size)
    where = {"Bucket": bucket, "Key": "other/x"}
    itself = {**where, "CopySource": where}
    s3.put_object(**where, Body=plain, Metadata={"who": "Ada"})
    assert error_of(s3.copy_object, **itself)[0] == "InvalidRequest", "nothing changes"
    for suite in (SM4, AES):
        proxy.settings.rules = [{"name": "other", "match": "*/other/**", "suite": suite}]
        proxy.write_config()
        until(lambda: _takes(s3.copy_object, itself), "the rule asks for another suite", 15)
        assert head(proxy, bucket, "other/x") == suite and numbers(proxy, bucket, "other/x") == {NUMBERS[suite]}
        got = s3.get_object(**where)
        assert got["Body"].read() == plain and got["Metadata"] == {"who": "Ada"}
        assert error_of(s3.copy_object, **itself)[0] == "InvalidRequest", "nothing is left to change"


def _takes(call, arguments) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidRequest"
        return False
    return True


def test_parts_are_copied_from_one_suite_to_the_other(proxy, bucket):
    s3, plain = proxy.s3(), content(FIVE_MIB + 1000)
    for key in BOTH:
        s3.put_object(Bucket=bucket, Key=key, Body=plain)
    sources = [{"CopySource": {"Bucket": bucket, "Key": key}} for key in BOTH]
    sources.append({"CopySource": {"Bucket": bucket, "Key": "usual/x"}, "CopySourceRange": "bytes=7-99"})
    for key, suite in (("national/parts", SM4), ("usual/parts", AES)):
        upload(s3, bucket, key, [], sources)
        assert head(proxy, bucket, key) == suite and numbers(proxy, bucket, key) == {NUMBERS[suite]}
        assert read(s3, bucket, key) == plain + plain + plain[7:100]


def test_what_may_not_be_read_is_refused_from_the_moment_the_list_says_so(proxy, bucket):
    s3 = proxy.s3()
    for key in BOTH:
        s3.put_object(Bucket=bucket, Key=key, Body=content(100))
        read(s3, bucket, key)
    rules, proxy.settings.rules = proxy.settings.rules, []
    proxy.settings.suites = {"read": [AES]}
    proxy.write_config()
    where = {"Bucket": bucket, "Key": "national/x"}

    def refused() -> bool:
        try:
            s3.get_object(**where)["Body"].read()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied", error
            return True
        return False

    until(refused, "the list is in force, for an object that is cached, too", 15)
    assert "sm4-gcm" in error_of(s3.get_object, **where)[1]
    assert error_of(s3.head_object, **where)[0] == "403"
    assert error_of(s3.get_object_attributes, **where, ObjectAttributes=["ETag"])[0] == "AccessDenied"
    copy = {"Bucket": bucket, "Key": "usual/copy", "CopySource": where}
    assert error_of(s3.copy_object, **copy)[0] == "AccessDenied"
    assert read(s3, bucket, "usual/x") == content(100)
    assert set(keys_of(s3, bucket)) == set(BOTH), "a listing still names it"
    proxy.settings.suites, proxy.settings.rules = {}, rules
    proxy.write_config()
    until(lambda: not refused(), "and back", 15)
    assert any("suites" in line for event in proxy.events.since(0) for line in event.get("diff", []))


def test_a_rule_of_a_suite_that_may_not_be_written_is_named_with_its_line(proxy):
    config = str(proxy.config)
    explained = strongroom("policy", "explain", "--config", config, "s3://docs/national/x").stdout
    assert "decides: key people, suite sm4-gcm, " in explained
    assert "suite aes-256-gcm" in strongroom("policy", "explain", "--config", config, "s3://docs/x").stdout
    proxy.settings.suites = {"write": [AES]}
    proxy.write_config()
    line = next(n for n, text in enumerate(proxy.config.read_text().splitlines(), 1) if text == 'suite = "sm4-gcm"')
    done = strongroom("policy", "explain", "--config", config, "s3://docs/national/x", check=False)
    assert done.returncode != 0
    assert f":{line}: rule[1].suite: new objects may not be sealed with sm4-gcm; choose from the list" in done.stderr


def test_the_backup_serves_and_every_tool_reads_both(start_proxy, pool, fault, tmp_path):
    raw = pool.sites("embedded")
    primary, injector = fault(raw[0])
    options = {"connect_timeout": "500ms", "stall_timeout": "2s"}
    proxy = start_proxy([primary, raw[1]], rules=[dict(rule) for rule in RULES], site_options=options)
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    bodies = {key: content(size, size) for size in (3, 70_000) for key in (f"usual/{size}", f"national/{size}")}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    upload(s3, bucket, "national/m", pieces := [content(FIVE_MIB, 1), content(10, 2)])
    bodies["national/m"] = b"".join(pieces)
    config = ["--config", str(proxy.config), "--bucket", bucket]
    # A copy that a site lost, one that it changed: the other one heals both.
    backup = raw[1].s3()
    backup.delete_object(Bucket=raw[1].raw_bucket(bucket), Key="national/3")
    changed = bytearray(at_site(raw[1], bucket, "national/70000"))
    changed[100] ^= 1
    backup.put_object(Bucket=raw[1].raw_bucket(bucket), Key="national/70000", Body=bytes(changed))
    strongroom("reconcile", *config, "--all", "--repair", check=False)
    assert strongroom("verify", *config, check=False).returncode == 0
    for key in bodies:
        assert at_site(raw[0], bucket, key) == at_site(raw[1], bucket, key), key
    injector.mode = "refuse"
    for key, body in bodies.items():
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body
        assert suite_of(got) == (SM4 if key.startswith("national") else AES)
        assert got["ResponseMetadata"]["HTTPHeaders"]["x-strongroom-served-by"] == raw[1].name
    offline(proxy, raw[1], bucket, bodies, tmp_path)


def offline(proxy, site, bucket: str, bodies: dict[str, bytes], folder) -> None:
    """Unseals copies of a site's buckets, and decodes one object by the decoder that was written from the text."""
    system, copied = folder / "system", folder / "copied"
    for name, to in ((proxy.settings.system_bucket, system), (bucket, copied)):
        for key in keys_of(site.s3(), site.raw_bucket(name)):
            file = to / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(at_site(site, name, key))
    root = str(proxy.folder / "root.key")
    strongroom("unseal", "--system", str(system), "--root-key", root, "--bucket", bucket, str(copied), str(folder / "plain"))
    for key, body in bodies.items():
        assert (folder / "plain" / key).read_bytes() == body
    decoder = places.ROOT / "tests/format_decoder/decode.py"
    command = [sys.executable, str(decoder), "--root-key", root, "--keyring", str(system), "--bucket", bucket]
    done = subprocess.run([*command, "--key", "national/m", str(copied / "national/m")], capture_output=True, check=True)
    assert done.stdout == bodies["national/m"]
