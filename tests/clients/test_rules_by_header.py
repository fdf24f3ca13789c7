"""Rules that ask for the headers of a write: every way to write goes by them, and nothing that is no write does."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
import requests
from botocore.exceptions import ClientError
from common import localstack
from common.backlog import pending
from common.data import FIVE_MIB, MIB, content
from common.process import clean_environment
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from conftest import new_bucket
from test_retention import in_years, lock_at

pytestmark = pytest.mark.timeout(180)

SECRET = {"class": "secret-2"}
RULES = [
    {
        "name": "papers",
        "match": "*/people/{team}/**",
        "headers": {"Content-Type": "application/pdf*"},
        "key": "papers-{team}",
        "client_keys": ["main"],
    },
    {
        "name": "secrets",
        "match": "**",
        "headers": {"x-amz-meta-class": "secret*"},
        "key": "secrets",
        "suite": "sm4-gcm",
        "max_size": "6MiB",
        "content_types": ["text/csv", "binary/*"],
    },
    {"name": "bare", "match": "*/bare/**", "headers": {"content-type": False, "x-amz-storage-class": True}, "key": "bare"},
]


@pytest.fixture
def proxy(start_proxy, pool):
    return start_proxy(pool.sites("embedded"), rules=[dict(rule) for rule in RULES])


@pytest.fixture
def s3(proxy):
    return proxy.s3()


@pytest.fixture
def bucket(s3):
    return new_bucket(s3)


def code_of(call, **arguments) -> str:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def key_of(answer) -> str:
    """The vault key that an answer to a request for aws:kms names."""
    return answer["SSEKMSKeyId"].rsplit("/", 1)[-1]


def suite_of(s3, bucket, key) -> str:
    return s3.head_object(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPHeaders"]["x-strongroom-suite"]


def rule_of(proxy, operation: str, key: str) -> str:
    """The rule that the event of the last such request names."""
    found = []

    def seen():
        found[:] = [e for e in proxy.events.since(0) if e["operation"] == operation and e.get("key") == key]
        return found

    until(seen, f"the event of {operation}", 10)
    return found[-1]["rule"]


def test_content_type_and_metadata_decide_on_key_and_suite(proxy, s3, bucket):
    kms = {"Bucket": bucket, "Body": b"x", "ServerSideEncryption": "aws:kms"}
    assert key_of(s3.put_object(**kms, Key="people/one/a", ContentType="application/pdf")) == "papers-one"
    assert key_of(s3.put_object(**kms, Key="people/one/b", ContentType="application/pdf; x=1")) == "papers-one"
    assert key_of(s3.put_object(**kms, Key="people/one/c", ContentType="text/csv")) == "main"
    assert key_of(s3.put_object(**kms, Key="other/a", ContentType="application/pdf")) == "main"
    assert key_of(s3.put_object(**kms, Key="bare/a")) == "main", "no storage class is asked for"
    assert key_of(s3.put_object(**kms, Key="bare/a", StorageClass="STANDARD")) == "bare"
    assert key_of(s3.put_object(**kms, Key="bare/a", StorageClass="STANDARD", ContentType="a/b")) == "main"
    named = {**kms, "SSEKMSKeyId": "main", "ContentType": "application/pdf"}
    assert key_of(s3.put_object(**named, Key="people/one/d")) == "main", "what the rule lets clients ask for"
    assert code_of(s3.put_object, **{**named, "SSEKMSKeyId": "secrets"}, Key="people/one/d") == "AccessDenied"
    unfit = code_of(s3.put_object, **kms, Key="people/ONE/a", ContentType="application/pdf")
    assert unfit == "InvalidArgument", "a path that makes no key goes to no other rule's"
    assert key_of(s3.put_object(**kms, Key="people/ONE/a", ContentType="text/csv")) == "main"

    s3.put_object(Bucket=bucket, Key="s", Body=b"secret", Metadata=SECRET)
    s3.put_object(Bucket=bucket, Key="p", Body=b"public", Metadata={"class": "public"})
    assert (suite_of(s3, bucket, "s"), suite_of(s3, bucket, "p")) == ("sm4-gcm", "aes-256-gcm")
    assert rule_of(proxy, "PutObject", "s") == "secrets"
    too_large = {"Bucket": bucket, "Key": "t", "Body": content(6 * MIB + 1)}
    assert code_of(s3.put_object, **too_large, Metadata=SECRET) == "EntityTooLarge"
    assert code_of(s3.put_object, **too_large) == "ok"
    assert code_of(s3.put_object, Bucket=bucket, Key="t", Body=b"", Metadata=SECRET, ContentType="a/b") == "AccessDenied"


def test_what_is_no_write_goes_by_the_path(proxy, s3, bucket):
    s3.put_object(Bucket=bucket, Key="people/one/a", Body=b"paper", ContentType="application/pdf")
    assert read(s3, bucket, "people/one/a") == b"paper"
    assert s3.head_object(Bucket=bucket, Key="people/one/a")["ContentType"] == "application/pdf"
    assert rule_of(proxy, "GetObject", "people/one/a") == "all"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["people/one/a"]
    # The rules are gone; what they sealed stays readable.
    proxy.settings.rules.clear()
    proxy.write_config()
    until(lambda: rule_of_put(proxy, s3, bucket) == "all", "the rules are gone", 10)
    assert read(s3, bucket, "people/one/a") == b"paper"
    s3.delete_object(Bucket=bucket, Key="people/one/a")
    assert code_of(s3.head_object, Bucket=bucket, Key="people/one/a") == "404"


def rule_of_put(proxy, s3, bucket) -> str:
    s3.put_object(Bucket=bucket, Key="people/one/b", Body=b"x", ContentType="application/pdf")
    proxy.access_log.mark()
    return rule_of(proxy, "PutObject", "people/one/b")


def test_an_upload_in_parts_goes_by_what_it_began_with(proxy, s3, bucket):
    where = {"Bucket": bucket, "Key": "m"}
    kms = {"ServerSideEncryption": "aws:kms"}
    refused = code_of(s3.create_multipart_upload, **where, Metadata=SECRET, ContentType="image/png")
    assert refused == "AccessDenied", "a type that the rule does not take"
    begun = s3.create_multipart_upload(**where, **kms, Metadata=SECRET)
    assert key_of(begun) == "secrets"
    upload = {**where, "UploadId": begun["UploadId"]}
    first = s3.upload_part(**upload, PartNumber=1, Body=content(FIVE_MIB))
    assert code_of(s3.upload_part, **upload, PartNumber=2, Body=content(MIB + 1)) == "EntityTooLarge"
    # Another rule by now: this upload's stays.
    proxy.settings.rules[:] = [{**RULES[1], "max_size": "1GiB", "suite": "aes-256-gcm", "key": "later"}]
    proxy.write_config()
    os.kill(proxy.pid, signal.SIGHUP)
    reloaded = lambda: [e for e in proxy.events.since(0) if e["operation"] == "PolicyReload" and e["outcome"] == "ok"]
    until(reloaded, "the rules are read again", 10)
    assert any(line.startswith('+ rule secrets (**, x-amz-meta-class = "secret*"): key later') for line in reloaded()[-1]["diff"])
    assert code_of(s3.upload_part, **upload, PartNumber=2, Body=content(MIB + 1)) == "EntityTooLarge"
    last = s3.upload_part(**upload, PartNumber=2, Body=content(MIB, 2))
    parts = {"Parts": [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate((first, last), 1)]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert key_of(done) == "secrets" and suite_of(s3, bucket, "m") == "sm4-gcm"
    assert rule_of(proxy, "CompleteMultipartUpload", "m") == "secrets"
    assert read(s3, bucket, "m") == content(FIVE_MIB) + content(MIB, 2)


@pytest.mark.parametrize("size", [1000, FIVE_MIB + 1], ids=["small", "large"])
def test_a_copy_goes_by_the_metadata_that_it_will_have(s3, bucket, size):
    s3.put_object(Bucket=bucket, Key="pdf", Body=content(size), ContentType="application/pdf")
    s3.put_object(Bucket=bucket, Key="secret", Body=content(size), Metadata=SECRET)
    of_pdf, of_secret = {"CopySource": f"{bucket}/pdf"}, {"CopySource": f"{bucket}/secret"}
    kms = {"Bucket": bucket, "ServerSideEncryption": "aws:kms"}
    replace = {"MetadataDirective": "REPLACE"}
    assert key_of(s3.copy_object(**kms, Key="people/one/a", **of_pdf)) == "papers-one", "the source's type"
    assert key_of(s3.copy_object(**kms, Key="people/one/b", **of_pdf, **replace, ContentType="text/csv")) == "main"
    assert key_of(s3.copy_object(**kms, Key="people/one/c", **of_secret, **replace, ContentType="application/pdf")) == "papers-one"
    assert key_of(s3.copy_object(**kms, Key="d", **of_secret)) == "secrets"
    s3.copy_object(Bucket=bucket, Key="e", **of_pdf, **replace, Metadata=SECRET, ContentType="text/csv")
    s3.copy_object(Bucket=bucket, Key="f", **of_secret, **replace)
    suites = {key: suite_of(s3, bucket, key) for key in ("d", "e", "f")}
    assert suites == {"d": "sm4-gcm", "e": "sm4-gcm", "f": "aes-256-gcm"}
    assert all(read(s3, bucket, key) == content(size) for key in ("people/one/a", "people/one/b", "d", "e", "f"))
    assert code_of(s3.copy_object, Bucket=bucket, Key="g", **of_pdf, **replace, Metadata=SECRET, ContentType="a/b") == "AccessDenied"
    assert code_of(s3.copy_object, Bucket=bucket, Key="secret", **of_secret) == "InvalidRequest", "nothing would change"


def test_forms_and_presigned_requests_are_writes_too(s3, bucket):
    fields = {"x-amz-meta-class": "secret-1", "Content-Type": "text/csv; charset=utf-8"}
    form = s3.generate_presigned_post(bucket, "form", Fields=fields, Conditions=[{name: value} for name, value in fields.items()])
    posted = requests.post(form["url"], data=form["fields"], files={"file": b"by a form"}, timeout=30)
    assert posted.status_code == 204, posted.text
    assert suite_of(s3, bucket, "form") == "sm4-gcm" and read(s3, bucket, "form") == b"by a form"
    form = s3.generate_presigned_post(bucket, "plain")
    assert requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=30).status_code == 204
    assert suite_of(s3, bucket, "plain") == "aes-256-gcm"

    def put(key: str, **arguments):
        sent = {f"x-amz-meta-{name}": value for name, value in arguments.get("Metadata", {}).items()}
        sent |= {"Content-Type": arguments["ContentType"]} if "ContentType" in arguments else {}
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, **arguments})
        return requests.put(url, data=b"presigned", headers=sent, timeout=30)

    assert put("signed", Metadata=SECRET).status_code == 200
    assert put("people/one/signed", ContentType="application/pdf").status_code == 200
    assert suite_of(s3, bucket, "signed") == "sm4-gcm" and read(s3, bucket, "signed") == b"presigned"
    refused = put("signed", Metadata=SECRET, ContentType="text/html")
    assert refused.status_code == 403 and "rule secrets" in refused.text


def test_awscli_writes_by_the_type_that_it_guesses_or_is_told(proxy, s3, bucket, tmp_path):
    program = pathlib.Path(sys.executable).with_name("aws")
    keys = {"AWS_ACCESS_KEY_ID": "AKSTRONGROOMTEST", "AWS_SECRET_ACCESS_KEY": proxy.settings.secret_access_key}
    environment = {**clean_environment(), **keys, "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(tmp_path)}

    def aws(*arguments):
        command = [str(program), "--endpoint-url", proxy.endpoint, "s3", "cp", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    assert aws(str(tmp_path / "a.pdf"), f"s3://{bucket}/people/one/a.pdf").returncode == 0
    assert rule_of(proxy, "PutObject", "people/one/a.pdf") == "papers"
    told = aws(str(tmp_path / "a.pdf"), f"s3://{bucket}/people/one/b.pdf", "--content-type", "text/csv", "--metadata", "class=secret")
    assert told.returncode == 0, told.stderr
    assert suite_of(s3, bucket, "people/one/b.pdf") == "sm4-gcm"
    assert aws(f"s3://{bucket}/people/one/b.pdf", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == b"%PDF"


def test_explain_and_check_know_of_headers(proxy):
    def explain(*arguments: str, check: bool = True):
        return strongroom("policy", "explain", "--config", str(proxy.config), "s3://docs/people/one/x", *arguments, check=check)

    papers = 'rule papers (*/people/{team}/**, content-type = "application/pdf*")'
    assert f"{papers} decides: key papers-one" in explain("--header", "Content-Type: application/pdf").stdout
    other = explain("--header", "content-type: text/csv", "--header", "x-amz-meta-class: secret").stdout
    assert f'{papers} does not match: content-type is "text/csv"' in other and "decides: key secrets, suite sm4-gcm" in other
    without = explain().stdout
    assert f"{papers} decides for writes with these headers only" in without and "rule all (**) decides" in without
    assert f"{papers} does not match: there is no content-type" in explain("--write").stdout
    for wrong, why in (("authorization: x", "a secret"), ("content-type", "it has no value"), ("range: x", "x-amz-meta-*")):
        refused = explain("--header", wrong, check=False)
        assert refused.returncode == 64 and why in refused.stderr, refused.stderr
    checked = strongroom("policy", "check", "--offline", "--config", str(proxy.config)).stdout
    assert "rules papers and secrets overlap" in checked, checked
    assert "secrets and all" not in checked and "papers and all" not in checked


def test_a_header_that_no_rule_may_ask_for_is_refused_with_line_field_and_fix(start_proxy, pool):
    for headers, term, field, why in (
        ({"Authorization": "AWS4*"}, {}, "headers.Authorization", "rules never look at that"),
        ({"x-amz-security-token": True}, {}, "headers.x-amz-security-token", "rules never look at that"),
        ({"x-amz-server-side-encryption-customer-key": True}, {}, "customer-key", "rules never look at that"),
        ({"user-agent": "curl*"}, {}, "headers.user-agent", "x-amz-meta-*"),
        ({"content-type": 7}, {}, "headers.content-type", "true for any value"),
        ({"content-type": "a/b"}, {"require_tls": True}, "rule[1].require_tls", "put it into a rule"),
        ({"content-type": "a/b"}, {"deletes": "retain"}, "rule[1].deletes", "put it into a rule"),
        ({"content-type": "a/b"}, {"unsealed": "read"}, "rule[1].unsealed", "put it into a rule"),
    ):
        wrong = start_proxy(pool.sites("embedded"), ready=False, rules=[{"match": "x/**", "headers": headers, **term}])
        wrong.write_config()
        refused = strongroom("check", "--config", str(wrong.config), check=False)
        assert refused.returncode == 64 and field in refused.stderr and why in refused.stderr, refused.stderr
    twice = [{"match": "x/**", "headers": {"Expires": True}}, {"match": "x/**", "headers": {"expires": "*"}}]
    wrong = start_proxy(pool.sites("embedded"), ready=False, rules=twice)
    wrong.write_config()
    refused = strongroom("check", "--config", str(wrong.config), check=False)
    assert refused.returncode == 64 and "rule[2].match: " in refused.stderr and "can never be reached" in refused.stderr


def test_retention_by_header_is_what_the_write_was_told_wherever_the_object_goes_later(start_proxy):
    """`async` and a lock at the backup alone: what the backup gets, it gets from replication, which knows the path only."""
    sites, bucket = localstack.pair(), "by-header"
    match = f"{bucket}/**"
    rules = [
        {"name": "contracts", "match": match, "headers": {"x-amz-meta-kind": "contract"}, "retention": "30y", "replication": "async"},
        {"name": "notes", "match": match, "headers": {"x-amz-tagging": "*kind=note*"}, "replication": "async"},
        {"name": "rest", "match": match, "retention": "2y", "replication": "async"},
    ]
    proxy = start_proxy(sites, rules=rules)
    primary, backup = sites
    primary.s3().create_bucket(Bucket=primary.raw_bucket(bucket))
    backup.s3().create_bucket(Bucket=backup.raw_bucket(bucket), ObjectLockEnabledForBucket=True)
    s3 = proxy.s3()
    s3.put_object(Bucket=bucket, Key="contract", Body=b"x", Metadata={"kind": "contract"})
    s3.put_object(Bucket=bucket, Key="note", Body=b"x", Tagging="kind=note")
    s3.put_object(Bucket=bucket, Key="rest", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copied-note", CopySource=f"{bucket}/note")
    until(lambda: len(keys_of(backup.s3(), backup.raw_bucket(bucket))) == 4, "the backup has them", 60)
    until(lambda: pending(proxy) == 0, "nothing is left", 10)

    def check():
        mode, date = lock_at(backup, bucket, "contract")
        assert mode == "GOVERNANCE" and in_years(date, 30)
        assert lock_at(backup, bucket, "note") == lock_at(backup, bucket, "copied-note") == (None, None), "none is none"
        mode, date = lock_at(backup, bucket, "rest")
        assert mode == "GOVERNANCE" and in_years(date, 2)

    check()
    for key in ("contract", "note", "rest"):
        assert lock_at(primary, bucket, key) == (None, None)
        told = s3.head_object(Bucket=bucket, Key=key)
        assert told["Metadata"] == ({"kind": "contract"} if key == "contract" else {})
        assert not [name for name in told["ResponseMetadata"]["HTTPHeaders"] if "strongroom-retention" in name]

    # The backup loses everything, and an operator levels it from the command line.
    there = backup.s3()
    for version in there.list_object_versions(Bucket=backup.raw_bucket(bucket))["Versions"]:
        where = {"Bucket": backup.raw_bucket(bucket), "Key": version["Key"], "VersionId": version["VersionId"]}
        there.delete_object(**where, BypassGovernanceRetention=True)
    done = strongroom("reconcile", "--config", str(proxy.config), "--repair", "--bucket", bucket, check=False)
    assert done.returncode == 0 and "4 repaired" in done.stderr, done.stdout + done.stderr
    check()
