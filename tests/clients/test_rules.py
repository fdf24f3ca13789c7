"""Rules from outside: what they take and refuse, the key a client asks for, and new rules without a restart."""

import json
import os
import signal

import pytest
from botocore.exceptions import ClientError
from common.certs import Authority
from common.data import FIVE_MIB, content
from common.proxy import strongroom
from common.wait import until
from conftest import new_bucket

pytestmark = pytest.mark.timeout(120)

MIB = 1024 * 1024
RULES = [
    {"name": "small", "match": "*/small/**", "max_size": "6MiB", "classification": "secret"},
    {"name": "scans", "match": "*/scans/**", "content_types": ["image/*", "application/pdf"]},
    {"name": "private", "match": "*-private/**", "require_tls": True},
    {"name": "people", "match": "*/people/{team}/**", "key": "people-{team}", "client_keys": ["board", "hr-{team}"]},
]


@pytest.fixture
def proxy(start_proxy, pool):
    return start_proxy(pool.sites("embedded"), rules=list(RULES))


def code_of(call, **arguments) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_what_is_too_large_is_refused_before_its_bytes_are_taken(proxy):
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    assert code_of(s3.put_object, Bucket=bucket, Key="small/a", Body=content(6 * MIB)) == "ok"
    assert code_of(s3.put_object, Bucket=bucket, Key="small/b", Body=content(6 * MIB + 1)) == "EntityTooLarge"
    assert code_of(s3.put_object, Bucket=bucket, Key="other/b", Body=content(6 * MIB + 1)) == "ok"
    assert code_of(s3.copy_object, Bucket=bucket, Key="small/c", CopySource=f"{bucket}/other/b") == "EntityTooLarge"
    where = {"Bucket": bucket, "Key": "small/m"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    assert code_of(s3.upload_part, **where, UploadId=upload, PartNumber=1, Body=content(FIVE_MIB)) == "ok"
    assert code_of(s3.upload_part, **where, UploadId=upload, PartNumber=1, Body=content(FIVE_MIB)) == "ok", "the same part"
    assert code_of(s3.upload_part, **where, UploadId=upload, PartNumber=2, Body=content(MIB + 1)) == "EntityTooLarge"
    assert code_of(s3.upload_part, **where, UploadId=upload, PartNumber=2, Body=content(MIB)) == "ok"


def test_only_the_content_types_of_the_rule_are_taken(proxy):
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    put = {"Bucket": bucket, "Key": "scans/a", "Body": b"x"}
    assert code_of(s3.put_object, **put, ContentType="image/png") == "ok"
    assert code_of(s3.put_object, **put, ContentType="Application/PDF; x=1") == "ok"
    assert code_of(s3.put_object, **put, ContentType="text/html") == "AccessDenied"
    assert code_of(s3.put_object, **put) == "AccessDenied", "binary/octet-stream"
    assert code_of(s3.create_multipart_upload, Bucket=bucket, Key="scans/m", ContentType="text/html") == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="other", Body=b"x", ContentType="text/html")
    assert code_of(s3.copy_object, Bucket=bucket, Key="scans/c", CopySource=f"{bucket}/other") == "AccessDenied"


def test_what_requires_tls_is_denied_over_plain_http_and_served_over_tls(proxy, start_proxy, pool, tmp_path):
    s3 = proxy.s3()
    public = new_bucket(s3)
    private = f"{public}-private"
    assert code_of(s3.put_object, Bucket=private, Key="a", Body=b"x") == "AccessDenied"
    assert code_of(s3.list_objects_v2, Bucket=private) == "AccessDenied", "a listing names the objects"
    assert code_of(s3.copy_object, Bucket=public, Key="a", CopySource=f"{private}/a") == "AccessDenied"
    assert code_of(s3.put_object, Bucket=public, Key="a", Body=b"x") == "ok"
    ca = Authority(tmp_path / "ca")
    secure = start_proxy(pool.sites("embedded"), tls=ca.issue(), ca=ca.ca, rules=list(RULES)).s3()
    secure.create_bucket(Bucket=private)
    assert code_of(secure.put_object, Bucket=private, Key="a", Body=b"x") == "ok"
    assert code_of(secure.get_object, Bucket=private, Key="a") == "ok"


def test_the_encryption_that_a_client_asks_for_is_honoured_within_the_rule_and_told_as_s3_does(proxy):
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    where = {"Bucket": bucket, "Key": "people/one/x"}
    assert s3.put_object(**where, Body=b"x")["ServerSideEncryption"] == "AES256"
    assert s3.put_object(**where, Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    put = s3.put_object(**where, Body=b"x", ServerSideEncryption="aws:kms")
    assert put["ServerSideEncryption"] == "aws:kms" and put["SSEKMSKeyId"].endswith(":key/people-one")
    for read in (s3.get_object(**where), s3.head_object(**where)):
        assert (read["ServerSideEncryption"], read["SSEKMSKeyId"]) == ("aws:kms", put["SSEKMSKeyId"])
    kms = {"Body": b"x", "ServerSideEncryption": "aws:kms"}
    assert code_of(s3.put_object, **where, **kms, SSEKMSKeyId=put["SSEKMSKeyId"]) == "ok", "its own key, by name"
    assert code_of(s3.put_object, **where, **kms, SSEKMSKeyId="main") == "AccessDenied", "not in the rule"
    assert code_of(s3.put_object, **where, **kms, SSEKMSKeyId="hr-two") == "AccessDenied", "another team's"
    assert code_of(s3.put_object, **where, **kms, SSEKMSKeyId="board") == "KMS.NotFoundException"
    strongroom("key", "create", "--config", str(proxy.config), "board")
    until(lambda: code_of(s3.put_object, **where, **kms, SSEKMSKeyId="alias/board") == "ok", "the key is known", 5)
    assert s3.head_object(**where)["SSEKMSKeyId"].endswith(":key/board")
    copied = s3.copy_object(Bucket=bucket, Key="people/one/y", CopySource={"Bucket": bucket, "Key": "people/one/x"})
    assert copied["ServerSideEncryption"] == "AES256", "a copy is as it is asked for"
    assert code_of(s3.put_object, **where, Body=b"x", ServerSideEncryption="AES256", SSEKMSKeyId="board") == "InvalidArgument"
    upload = s3.create_multipart_upload(**where, ServerSideEncryption="aws:kms")
    assert upload["ServerSideEncryption"] == "aws:kms" and upload["SSEKMSKeyId"].endswith(":key/people-one")
    part = s3.upload_part(**where, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    assert part["ServerSideEncryption"] == "aws:kms"
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**where, UploadId=upload["UploadId"], MultipartUpload=parts)
    assert done["ServerSideEncryption"] == "aws:kms"
    assert s3.head_object(**where)["ServerSideEncryption"] == "aws:kms"


def test_policy_explain_and_check_say_which_rule_and_why(proxy):
    def run(*arguments: str, check: bool = True):
        command, *rest = arguments
        return strongroom("policy", command, "--config", str(proxy.config), *rest, check=check)

    said = run("explain", "s3://docs/people/one/x").stdout
    assert "rule small (*/small/**) does not match" in said
    assert "rule people (*/people/{team}/**) decides: key people-one" in said
    assert "nothing can be written there" in run("explain", "s3://docs/people/ONE/x").stdout
    assert "classification secret" in run("explain", "docs/small/x").stdout
    assert run("explain", "docs", check=False).returncode == 64
    checked = run("check", "--offline").stdout
    assert "rules small and private overlap" in checked, checked
    strongroom("key", "create", "--config", str(proxy.config), "forgotten")
    assert "key forgotten has no rule" in run("check").stdout
    assert run("check", "--strict", check=False).returncode == 1


def test_new_rules_are_in_force_without_a_restart_or_refused_whole(proxy):
    s3, pid = proxy.s3(), proxy.pid
    bucket = new_bucket(s3)
    put = {"Bucket": bucket, "Key": "late/a", "Body": content(1000)}
    assert code_of(s3.put_object, **put) == "ok"
    proxy.settings.rules.append({"name": "late", "match": "*/late/**", "max_size": "10B"})
    proxy.write_config()
    until(lambda: code_of(s3.put_object, **put) == "EntityTooLarge", "the file's change is seen", 10)
    event = [event for event in proxy.events.since(0) if event["operation"] == "PolicyReload"][-1]
    assert event["outcome"] == "ok" and event["owner"] == os.getuid() and event["policy"] != event["policy_before"]
    assert any(line.startswith("+ rule late") for line in event["diff"]), event
    good = proxy.config.read_text()
    proxy.config.write_text(good.replace("10B", "10 bytes").replace('"*/scans/**"', '"*/elsewhere/**"'))
    os.kill(pid, signal.SIGHUP)
    refused = lambda: [e for e in proxy.events.since(0) if e.get("operation") == "PolicyReload" and e["outcome"] == "refused"]
    until(lambda: refused(), "it is refused", 10)
    assert "max_size" in json.dumps(refused()[-1])
    assert code_of(s3.put_object, **put) == "EntityTooLarge", "the rules in force stay"
    assert code_of(s3.put_object, Bucket=bucket, Key="scans/x", Body=b"x") == "AccessDenied", "all of them"
    assert proxy.pid == pid
