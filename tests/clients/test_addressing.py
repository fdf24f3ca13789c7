"""Buckets named by the host (`domain`), keys of every legal kind named by URL, and tokens of sessions that nobody began."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest
import requests
from common import target as targets
from common.sites import s3_client
from common.wire import Wire
from conftest import new_bucket
from s3errors import error_of

DOMAIN = "s3.strongroom.test"
KEYS = [
    "plain",
    "字/ключ/clé",
    "😀",
    " a  b ",
    "a+b=c&d",
    "100%",
    "a%2Fb",
    "a//b",
    "/a",
    "a/./b/../c",
    ".",
    "..",
    "a?b#c",
    "a;b,c:d@e!f$g'h(i)j*k",
    "a\\b|c^d`e{f}[g]<h>\"i\"",
    "~a_b-c.d",
    "a\tb",
    "k" * 1024,
    "字" * 341,
]


@pytest.fixture(scope="module")
def hosts():
    """Every host below the domain is this machine."""
    real = socket.getaddrinfo

    def resolve(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if name and name.endswith(DOMAIN) else host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@pytest.fixture
def proxy(start_proxy, pool):
    """A proxy with a domain, over embedded sites."""
    return start_proxy(pool.sites("embedded"), domain=DOMAIN)


@pytest.fixture
def virtual(proxy, hosts):
    """boto3 with the bucket in the host."""
    target = targets.of_proxy(proxy, "embedded")
    return s3_client(
        f"http://{DOMAIN}:{proxy.port}",
        target.access_key_id,
        target.secret_access_key,
        target.region,
        s3={"addressing_style": "virtual"},
        signature_version="s3v4",
    )


def test_a_bucket_in_the_host_is_the_bucket_in_the_path(proxy, virtual):
    path = proxy.s3()
    bucket = new_bucket(virtual)
    for key in KEYS:
        virtual.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert path.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
        assert virtual.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    listed = {one["Key"] for one in virtual.list_objects_v2(Bucket=bucket)["Contents"]}
    assert listed == set(KEYS) == {one["Key"] for one in path.list_objects_v2(Bucket=bucket)["Contents"]}
    virtual.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a//b"})
    assert path.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"a//b"
    named = {"Objects": [{"Key": key} for key in [*KEYS, "copy"]]}
    assert "Errors" not in virtual.delete_objects(Bucket=bucket, Delete=named)
    virtual.delete_bucket(Bucket=bucket)
    assert error_of(path.head_bucket, Bucket=bucket)[1] == 404


def test_parts_urls_and_forms_name_the_bucket_by_host(proxy, virtual):
    bucket = new_bucket(virtual)
    upload = virtual.create_multipart_upload(Bucket=bucket, Key="a b")["UploadId"]
    part = virtual.upload_part(Bucket=bucket, Key="a b", UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = virtual.complete_multipart_upload(Bucket=bucket, Key="a b", UploadId=upload, MultipartUpload=parts)
    assert done["Bucket"] == bucket
    url = virtual.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"})
    assert url.startswith(f"http://{bucket}.{DOMAIN}:{proxy.port}/a%20b?")
    assert requests.get(url, timeout=30).content == b"part"
    form = virtual.generate_presigned_post(bucket, "form/${filename}")
    answer = requests.post(form["url"], data=form["fields"], files={"file": ("x.txt", b"posted")}, timeout=30)
    assert answer.status_code == 204
    assert virtual.get_object(Bucket=bucket, Key="form/x.txt")["Body"].read() == b"posted"
    assert virtual.list_buckets()["Buckets"]


def test_the_command_line_addresses_virtually_through_a_plain_http_proxy(proxy, tmp_path):
    """The client's HTTP proxy is Strongroom itself: what arrives is in absolute form (RFC 9112, section 3.2.2), and no
    name has to be resolved."""
    bucket = new_bucket(proxy.s3())
    target = targets.of_proxy(proxy, "embedded")
    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    (tmp_path / "up").write_bytes(b"by host")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ACCESS_KEY_ID": target.access_key_id,
        "AWS_SECRET_ACCESS_KEY": target.secret_access_key,
        "AWS_DEFAULT_REGION": target.region,
        "HTTP_PROXY": proxy.endpoint,
    }
    program = pathlib.Path(sys.executable).with_name("aws")
    assert shutil.which(program), "awscli is one of the clients"

    def aws(*arguments):
        command = [str(program), "--endpoint-url", f"http://{DOMAIN}", "s3", *map(str, arguments)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120).stdout

    aws("cp", tmp_path / "up", f"s3://{bucket}/a b/ü+%.txt")
    aws("cp", f"s3://{bucket}/a b/ü+%.txt", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"by host"
    assert "ü+%.txt" in aws("ls", f"s3://{bucket}/a b/").decode()


def test_presigned_urls_name_every_key(proxy):
    s3 = proxy.s3(signature_version="s3v4")
    bucket = new_bucket(s3)
    for key in KEYS:
        for verb, method in (("put_object", "PUT"), ("get_object", "GET"), ("head_object", "HEAD"), ("delete_object", "DELETE")):
            url = s3.generate_presigned_url(verb, Params={"Bucket": bucket, "Key": key})
            # `requests` would take dots out of the path.
            request = requests.Request(method, url, data=key.encode() if method == "PUT" else None).prepare()
            request.url = url
            with requests.Session() as session:
                answer = session.send(request, timeout=30)
            assert answer.status_code in (200, 204), f"{method} {key}: {answer.text}"
            if method == "GET":
                assert answer.content == key.encode()
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_token_of_a_session_that_nobody_began_is_refused_however_it_is_sent(proxy):
    target = targets.of_proxy(proxy, "embedded")
    bucket = new_bucket(proxy.s3())
    wire = Wire(target)
    answer = wire.send("PUT", f"/{bucket}/k", b"x", headers={"x-amz-security-token": "no-such-session"})
    assert (answer.status, answer.code) == (400, "InvalidToken")
    for version in ("s3v4", "s3"):
        s3 = proxy.s3(signature_version=version)
        s3._request_signer._credentials.token = "no-such-session"
        assert error_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x")[0] == "InvalidToken"
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        # Version 2 signs the token as a header that is not sent: such a URL is not even read so far.
        refusal = "InvalidToken" if version == "s3v4" else "SignatureDoesNotMatch"
        assert refusal in requests.get(url, timeout=30).text
    form = s3.generate_presigned_post(bucket, "k")
    assert "InvalidToken" in requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=30).text
    assert error_of(proxy.s3().head_object, Bucket=bucket, Key="k")[1] == 404
