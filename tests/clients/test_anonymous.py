"""Requests without a signature: denied, whatever the storage would do, but for what clients made public, and where a rule leaves it to the primary.

Over LocalStack, which lets anybody do everything; over embedded sites, which let nobody. (Storage that tells one from the other, Ceph: the topic
`anonymous` of tests/differential.)
"""

import json
import sqlite3

import pytest
import requests
from common import localstack
from common.data import content
from common.door import XML, Door
from common.sites import read
from common.wait import until
from conftest import new_bucket
from s3errors import error_of

pytestmark = pytest.mark.timeout(300)
BODY = content(100_000)


class Anybody:
    """Somebody without credentials, at a bucket with an object."""

    def __init__(self, proxy):
        self.proxy, self.s3 = proxy, proxy.s3()
        self.bucket = new_bucket(self.s3)
        for key in ("public/a", "private/a"):
            described = {"ContentType": "text/csv", "Metadata": {"client": "4711"}}
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=BODY, **described)

    def ask(self, method: str, path: str = "", **options) -> requests.Response:
        return requests.request(method, f"{self.proxy.endpoint}/{self.bucket}{path}", timeout=30, **options)

    def form(self, key: str, **fields) -> requests.Response:
        """A form that nobody signed."""
        return self.ask("POST", data={"key": key, **fields}, files={"file": ("f", b"by a form")})


def code(answer: requests.Response) -> str:
    return answer.text.split("<Code>")[-1].split("</Code>")[0] if answer.status_code >= 400 else ""


def asked_everything(anybody: Anybody) -> dict[str, int]:
    """What becomes of each."""
    source, system = f"/{anybody.bucket}/private/a", anybody.proxy.settings.system_bucket
    return {
        "get": anybody.ask("GET", "/public/a").status_code,
        "head": anybody.ask("HEAD", "/public/a").status_code,
        "list": anybody.ask("GET").status_code,
        "list of versions": anybody.ask("GET", "?versions").status_code,
        "tags": anybody.ask("GET", "/public/a?tagging").status_code,
        "put": anybody.ask("PUT", "/public/new", data=b"new").status_code,
        "form": anybody.form("public/form").status_code,
        "delete": anybody.ask("DELETE", "/public/a").status_code,
        "delete of many": anybody.ask("POST", "?delete", data=b"<Delete/>").status_code,
        "upload in parts": anybody.ask("POST", "/public/parts?uploads").status_code,
        "copy": anybody.ask("PUT", "/public/b", headers={"x-amz-copy-source": source}).status_code,
        "tagging": anybody.ask("PUT", "/public/a?tagging", data=b"<Tagging/>").status_code,
        "policy": anybody.ask("PUT", "?policy", data=b"{}").status_code,
        "acl": anybody.ask("PUT", "/public/a?acl", headers={"x-amz-acl": "private"}).status_code,
        "removal of the bucket": anybody.ask("DELETE").status_code,
        "system bucket": requests.get(f"{anybody.proxy.endpoint}/{system}", timeout=30).status_code,
    }


def test_nobody_is_let_in_by_the_storage_alone(start_proxy):
    anybody = Anybody(start_proxy(localstack.pair()))
    assert set(asked_everything(anybody).values()) == {403}
    assert code(anybody.ask("GET", "/public/a")) == "AccessDenied"


def test_what_a_client_made_public_is_public_and_nothing_else(start_proxy):
    proxy = start_proxy(localstack.pair())
    anybody = Anybody(proxy)
    s3, bucket = anybody.s3, anybody.bucket
    s3.put_object(Bucket=bucket, Key="public/b", Body=b"public", ACL="public-read")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="public/c", ACL="public-read")["UploadId"]
    named = {"Bucket": bucket, "Key": "public/c", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": s3.upload_part(PartNumber=1, Body=b"in parts", **named)["ETag"]}
    s3.complete_multipart_upload(MultipartUpload={"Parts": [part]}, **named)
    s3.put_object(Bucket=bucket, Key="public/d", Body=b"later")
    assert anybody.ask("GET", "/public/d").status_code == 403
    s3.put_object_acl(Bucket=bucket, Key="public/d", ACL="public-read")
    s3.copy_object(Bucket=bucket, Key="public/e", CopySource={"Bucket": bucket, "Key": "private/a"}, ACL="public-read")
    public = {"public/b": b"public", "public/c": b"in parts", "public/d": b"later", "public/e": BODY}
    for key, body in public.items():
        assert anybody.ask("GET", f"/{key}").content == body, key
    proxy.stop()
    proxy.start()
    for key, body in public.items():
        assert anybody.ask("GET", f"/{key}").content == body, f"{key} after a restart"
    # LocalStack would let anybody do all of it.
    assert set(asked_everything(anybody).values()) == {403}

    grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    done = asked_everything(anybody)
    assert {what for what, status in done.items() if status < 300} == {
        "get", "head", "list", "list of versions", "tags", "put", "form",
    }  # fmt: skip
    assert anybody.ask("GET", "/private/a").content == BODY


def test_a_policy_that_would_judge_the_proxy_is_not_asked(start_proxy):
    """What it grants the proxy's address it would not grant to anybody. (LocalStack would serve all of it.)"""
    for rule in ({}, {"anonymous": "as-storage"}):
        anybody = Anybody(start_proxy(localstack.pair(), rule=rule))
        grant = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{anybody.bucket}/*"}
        for condition, status in (
            ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, 403),
            ({"Bool": {"aws:SecureTransport": "true"}}, 403),
            ({"StringLike": {"aws:Referer": "https://page.example.com/*"}}, 200),
        ):
            policy = {"Version": "2012-10-17", "Statement": [{**grant, "Condition": condition}]}
            anybody.s3.put_bucket_policy(Bucket=anybody.bucket, Policy=json.dumps(policy))
            assert anybody.ask("GET", "/public/a").status_code == status, condition
            assert anybody.ask("PUT", "/public/new", data=b"x").status_code == status, condition
            assert anybody.ask("GET").status_code == status, condition
            assert anybody.form("public/form").status_code == (204 if status == 200 else 403), condition


def test_a_bucket_that_is_made_anew_is_private(start_proxy):
    anybody = Anybody(start_proxy(localstack.pair()))
    anybody.s3.put_bucket_acl(Bucket=anybody.bucket, ACL="public-read")
    assert anybody.ask("GET").status_code == 200
    for key in ("public/a", "private/a"):
        anybody.s3.delete_object(Bucket=anybody.bucket, Key=key)
    anybody.s3.delete_bucket(Bucket=anybody.bucket)
    assert code(anybody.ask("GET")) == "NoSuchBucket"
    anybody.s3.create_bucket(Bucket=anybody.bucket)
    assert code(anybody.ask("GET")) == "AccessDenied"


def test_a_rule_denies_whatever_clients_make_public(start_proxy):
    rules = [{"name": "closed", "match": "*/private/**", "key": "main", "anonymous": "deny"}]
    anybody = Anybody(start_proxy(localstack.pair(), rules=rules))
    anybody.s3.put_bucket_acl(Bucket=anybody.bucket, ACL="public-read-write")
    anybody.s3.put_object_acl(Bucket=anybody.bucket, Key="private/a", ACL="public-read")
    assert anybody.ask("GET", "/public/a").status_code == 200
    assert anybody.ask("GET", "/private/a").status_code == 403
    assert anybody.ask("PUT", "/private/new", data=b"x").status_code == 403
    assert anybody.form("private/form").status_code == 403
    assert anybody.ask("GET").status_code == 403, "a listing would name what is private"


def test_a_client_whose_wish_cannot_be_written_down_is_told_so(start_proxy):
    """What is public is written down first: nothing is made public that is not known to be."""
    proxy = start_proxy(localstack.pair())
    anybody = Anybody(proxy)
    with sqlite3.connect(proxy.folder / "state" / "state.sqlite3") as state:
        state.execute("CREATE TRIGGER full BEFORE INSERT ON published BEGIN SELECT RAISE(FAIL, 'the disk is full'); END")
    state.close()
    answer = error_of(anybody.s3.put_object, Bucket=anybody.bucket, Key="b", Body=b"x", ACL="public-read")
    assert answer[1] == 503
    assert error_of(anybody.s3.head_object, Bucket=anybody.bucket, Key="b")[1] == 404
    anybody.s3.put_object(Bucket=anybody.bucket, Key="b", Body=b"x", ACL="private")


def test_nor_by_the_rule_alone(start_proxy, pool):
    anybody = Anybody(start_proxy(pool.sites("embedded"), rule={"anonymous": "as-storage"}))
    assert set(asked_everything(anybody).values()) == {403}


def test_what_the_primary_lets_anybody_do_is_done_for_anybody(start_proxy):
    proxy = start_proxy(localstack.pair(), rule={"anonymous": "as-storage"})
    anybody = Anybody(proxy)
    got = anybody.ask("GET", "/public/a")
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, BODY, "text/csv")
    assert got.headers["x-amz-meta-client"] == "4711"
    assert anybody.ask("GET", "/public/a", headers={"Range": "bytes=10-19"}).content == BODY[10:20]
    assert code(anybody.ask("GET", "/public/gone")) == "NoSuchKey"
    assert f"<Size>{len(BODY)}</Size>" in anybody.ask("GET", "?list-type=2").text
    # Headers of the answer are not anybody's to choose.
    assert code(anybody.ask("GET", "/public/a?response-content-type=text/html")) == "InvalidRequest"

    done = asked_everything(anybody)
    assert {what for what, status in done.items() if status < 300} == {
        "get", "head", "list", "list of versions", "tags", "put", "form",
    }  # fmt: skip
    assert all(status in (400, 403) for status in done.values() if status >= 300), done
    assert read(anybody.s3, anybody.bucket, "public/new") == b"new"
    assert read(anybody.s3, anybody.bucket, "public/form") == b"by a form"
    assert not anybody.s3.list_multipart_uploads(Bucket=anybody.bucket).get("Uploads"), "asking has left nothing"
    raw = proxy.settings.sites[0]
    assert b"by a form" not in read(raw.s3(), raw.raw_bucket(anybody.bucket), "public/form"), "it is sealed"


def test_leave_to_write_is_no_leave_to_publish_or_to_lock(start_proxy):
    anybody = Anybody(start_proxy(localstack.pair(), rule={"anonymous": "as-storage"}))
    for header, value in (
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AllUsers"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-object-lock-legal-hold", "ON"),
    ):
        assert code(anybody.ask("PUT", "/public/new", data=b"new", headers={header: value})) == "AccessDenied", header
    assert anybody.form("public/new", acl="public-read").status_code == 403
    assert anybody.form("public/new", **{"x-amz-tagging": "a=b"}).status_code == 403
    assert error_of(anybody.s3.head_object, Bucket=anybody.bucket, Key="public/new")[1] == 404


def test_storage_that_hides_what_it_forbids_forbids_it(start_proxy):
    def hide(_command, path, headers, _body):
        """Whoever signs nothing is told that there is nothing."""
        code = "NoSuchKey" if path.count("/") > 1 else "NoSuchBucket"
        return None if "authorization" in headers else (404, XML, f"<Error><Code>{code}</Code></Error>".encode())

    with Door(localstack.site().endpoint, hide) as door:
        sites = [site.through(door.endpoint) for site in localstack.pair()]
        anybody = Anybody(start_proxy(sites, rule={"anonymous": "as-storage"}))
        assert code(anybody.ask("GET", "/public/a")) == "NoSuchKey"
        assert anybody.ask("HEAD", "/public/a").status_code == 404
        assert code(anybody.ask("GET")) == "NoSuchBucket"
        done = asked_everything(anybody)
        assert all(status >= 400 for status in done.values()), done
        assert read(anybody.s3, anybody.bucket, "public/a") == BODY


def test_a_rule_is_for_its_own_objects_and_a_listing_for_all(start_proxy):
    rules = [{"name": "open", "match": "*/public/**", "key": "main", "anonymous": "as-storage"}]
    anybody = Anybody(start_proxy(localstack.pair(), rules=rules))
    assert anybody.ask("GET", "/public/a").status_code == 200
    assert anybody.ask("GET", "/private/a").status_code == 403
    assert anybody.ask("PUT", "/private/new", data=b"x").status_code == 403
    assert anybody.form("private/form").status_code == 403
    assert anybody.form("public/form").status_code == 204
    assert anybody.ask("GET").status_code == 403, "a listing would name what is private"


def test_a_wrong_signature_is_wrong_where_none_is_needed(start_proxy):
    anybody = Anybody(start_proxy(localstack.pair(), rule={"anonymous": "as-storage"}))
    url = anybody.s3.generate_presigned_url("get_object", {"Bucket": anybody.bucket, "Key": "public/a"})
    assert requests.get(url, timeout=30).status_code == 200
    assert code(requests.get(url[:-1] + ("0" if url[-1] != "0" else "1"), timeout=30)) == "SignatureDoesNotMatch"
    scope = "AKNOBODY/20261129/us-east-1/s3/aws4_request"
    claimed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}
    assert anybody.ask("GET", "/public/a", headers=claimed).status_code in (400, 403)
    assert code(anybody.ask("GET", "/public/a", headers={"x-amz-security-token": "x"})) == "InvalidToken"


def test_while_the_primary_does_not_say_nobody_is_let_in(start_proxy, fault):
    primary, backup = localstack.pair()
    primary, injector = fault(primary)
    quick = {"connect_timeout": "500ms", "stall_timeout": "1s"}
    anybody = Anybody(start_proxy([primary, backup], rule={"anonymous": "as-storage"}, site_options=quick))
    assert anybody.ask("GET", "/public/a").status_code == 200
    injector.mode = "refuse"
    assert anybody.ask("GET", "/public/a").status_code == 503
    assert read(anybody.s3, anybody.bucket, "public/a") == BODY, "those who sign are served by the backup"
    injector.mode = "pass"
    until(lambda: anybody.ask("GET", "/public/a").status_code == 200, "the primary is asked again", 30)


def test_the_access_log_names_nobody(start_proxy):
    anybody = Anybody(start_proxy(localstack.pair(), rule={"anonymous": "as-storage"}))
    answer = anybody.ask("GET", "/public/a")
    line = anybody.proxy.access_log.find(answer.headers["x-amz-request-id"])
    assert (line["requester"], line["operation"], line["status"]) == ("-", "REST.GET.OBJECT", "200")
