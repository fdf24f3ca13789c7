"""No key and no plaintext is where it does not belong: logs at their most talkative, metrics, state, the system bucket, both sites, a core dump."""

import base64
import hashlib
import pathlib
import resource
import signal
import subprocess

import pytest
import requests
from common.backlog import until_settled
from common.data import FIVE_MIB, content
from common.places import strongroom as binary
from common.proxy import ACCESS_KEY_ID
from common.sites import s3_client
from conftest import new_bucket
from s3errors import error_of

BODY = b"canary: the ledger of Blue Heron Trading Ltd., 2026, confidential"
META = "canary-in-metadata-8c1f0e"
FILE = "canary-file-name-in-disposition.pdf"
CUSTOMER_KEY = b"canary: thirty-two bytes of key!!"[:32]


def spellings(secret: bytes) -> set[bytes]:
    """How it could be written down: as it is, in hex, in base64 at any offset."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret)
        # Only what depends on nothing but the secret.
        whole = encoded[-(-offset * 8 // 6) + (1 if offset else 0) : len(encoded) - 4]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Search:
    """Looks for canaries in whatever it is shown."""

    def __init__(self, canaries: dict[str, bytes]):
        self.spelled = {name: spellings(canary) for name, canary in canaries.items()}
        self.looked = 0

    def look(self, where: str, text: bytes) -> None:
        """Fails when one is there."""
        self.looked += len(text)
        for name, spelled in self.spelled.items():
            for spelling in spelled:
                assert spelling not in text, f"{name} is in {where}"

    def folder(self, folder: pathlib.Path, but: set[str]) -> None:
        """Every file below."""
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in but:
                self.look(str(path.relative_to(folder)), path.read_bytes())

    def site(self, site) -> None:
        """Every object of every bucket, and everything said of it."""
        s3 = site.s3()
        for bucket in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            if not bucket.startswith(site.bucket_prefix):
                continue
            for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                got = s3.get_object(Bucket=bucket, Key=entry["Key"])
                self.look(f"{site.name}: {bucket}/{entry['Key']}", got["Body"].read())
                self.look(f"{site.name}: metadata of {bucket}/{entry['Key']}", repr(got["ResponseMetadata"]).encode())


def test_the_search_finds_what_is_there():
    search = Search({"body": BODY})
    for planted in (BODY, BODY.hex().encode(), *(base64.b64encode(b"x" * n + BODY + b"tail") for n in range(5))):
        with pytest.raises(AssertionError, match="body is in here"):
            search.look("here", b"before " + planted + b" after")


def everything_a_client_does(proxy) -> str:
    """Good requests of every kind, and bad ones."""
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    described = {"Metadata": {"note": META}, "ContentDisposition": f'attachment; filename="{FILE}"'}
    s3.put_object(Bucket=bucket, Key="small", Body=BODY, **described)
    s3.put_object(Bucket=bucket, Key="middle", Body=BODY + content(300_000) + BODY)
    s3.put_object(Bucket=bucket, Key="summed", Body=BODY, ChecksumAlgorithm="SHA256")
    where = {"Bucket": bucket, "Key": "parts"}
    upload = s3.create_multipart_upload(**where, **described)["UploadId"]
    parts = []
    for number, body in enumerate((BODY + content(FIVE_MIB), BODY), 1):
        part = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    open_upload = s3.create_multipart_upload(**where, **described)["UploadId"]
    s3.upload_part(**where, UploadId=open_upload, PartNumber=1, Body=BODY)
    for key in ("small", "parts"):
        s3.copy_object(Bucket=bucket, Key=f"copy-of-{key}", CopySource={"Bucket": bucket, "Key": key})
        assert s3.get_object(Bucket=bucket, Key=key)["Metadata"] == {"note": META}
        s3.head_object(Bucket=bucket, Key=f"copy-of-{key}")
    assert s3.get_object(Bucket=bucket, Key="small", Range="bytes=0-5")["Body"].read() == BODY[:6]
    form = s3.generate_presigned_post(bucket, "posted", Fields={"x-amz-meta-note": META}, Conditions=[{"x-amz-meta-note": META}])
    assert requests.post(form["url"], data=form["fields"], files={"file": BODY}, timeout=30).status_code == 204

    keyed = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}
    s3.put_object(Bucket=bucket, Key="keyed", Body=BODY, **keyed)
    assert s3.get_object(Bucket=bucket, Key="keyed", **keyed)["Body"].read() == BODY
    source = {f"CopySource{name}": value for name, value in keyed.items()}
    s3.copy_object(Bucket=bucket, Key="copy-of-keyed", CopySource={"Bucket": bucket, "Key": "keyed"}, **source, **keyed)
    where = {"Bucket": bucket, "Key": "keyed parts"}
    keyed_upload = s3.create_multipart_upload(**where, **keyed)["UploadId"]
    s3.upload_part(**where, UploadId=keyed_upload, PartNumber=1, Body=BODY, **keyed)
    error_of(s3.get_object, Bucket=bucket, Key="small", **keyed)
    error_of(s3.get_object, Bucket=bucket, Key="keyed")
    error_of(s3.put_object, Bucket=bucket, Key="bad", Body=BODY, ServerSideEncryption="AES256", **keyed)
    by_hand = {**keyed, "SSECustomerKey": base64.b64encode(CUSTOMER_KEY.encode() if isinstance(CUSTOMER_KEY, str) else CUSTOMER_KEY).decode()}
    error_of(s3.put_object, Bucket=bucket, Key="bad", Body=BODY, **by_hand, SSECustomerKeyMD5=base64.b64encode(bytes(16)).decode())

    error_of(s3.put_object, Bucket=bucket, Key="bad", Body=BODY, ContentMD5=base64.b64encode(bytes(16)).decode(), **described)
    error_of(s3.put_object, Bucket=bucket, Key="bad", Body=BODY, Metadata={"note": META * 200})
    error_of(s3.put_object, Bucket="no-such-bucket-anywhere", Key="bad", Body=BODY, **described)
    error_of(s3.get_object, Bucket=bucket, Key="small", IfMatch='"0"')
    wrong = s3_client(proxy.endpoint, ACCESS_KEY_ID, proxy.settings.secret_access_key[:-1] + "!", "us-east-1")
    error_of(wrong.put_object, Bucket=bucket, Key="bad", Body=BODY, **described)
    return bucket


def test_no_key_and_no_plaintext_is_in_logs_metrics_state_or_at_a_site(start_proxy, pool):
    sites = pool.sites("embedded")
    proxy = start_proxy(sites, log_level="trace")
    search = Search(
        {
            "the body": BODY,
            "the metadata": META.encode(),
            "the file's name": FILE.encode(),
            "the customer's key": CUSTOMER_KEY,
            "the MD5 of the customer's key": hashlib.md5(CUSTOMER_KEY).digest(),
            "the root key": bytes.fromhex(proxy.settings.root_key),
            "the client's secret": proxy.settings.secret_access_key.encode(),
            **{f"the secret of {site.name}": site.secret_access_key.encode() for site in sites},
        }
    )
    bucket = everything_a_client_does(proxy)
    until_settled(proxy)
    # A damaged object makes the proxy talk, too.
    raw = sites[0].s3()
    where = {"Bucket": sites[0].raw_bucket(bucket), "Key": "middle"}
    sealed = raw.get_object(**where)
    damaged = bytearray(sealed["Body"].read())
    damaged[100_000] ^= 1
    raw.put_object(**where, Body=bytes(damaged), Metadata=sealed["Metadata"])
    assert proxy.s3().get_object(Bucket=bucket, Key="middle")["Body"].read().startswith(BODY)

    for path in ("metrics", "healthz", "readyz"):
        search.look(path, requests.get(f"http://{proxy.admin}/{path}", timeout=10).content)
    for site in sites:
        search.site(site)
    proxy.stop()
    # What an operator wrote is not a leak.
    search.folder(proxy.folder, but={"root.key", "credentials.toml", *(f"{site.name}.secret" for site in sites)})
    assert search.looked > 10 * 1024 * 1024, "there was something to be searched"


def crashes(folder: pathlib.Path, command: list[str]) -> list[pathlib.Path]:
    """The core dumps that a crash leaves in this folder, where the caller allows them."""
    folder.mkdir()
    allow = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # noqa: E731
    child = subprocess.Popen(command, cwd=folder, preexec_fn=allow, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    child.stdout.readline()
    child.send_signal(signal.SIGABRT)
    assert child.wait(30) == -signal.SIGABRT
    return list(folder.rglob("core*"))


def test_a_crash_leaves_no_core_dump(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if hard == 0 or not pattern.startswith("core"):
        pytest.skip(f"this system keeps no core dumps in the working folder: {pattern}")
    other = crashes(tmp_path / "other", ["sh", "-c", "echo begun; exec sleep 60"])
    assert other, "another program's crash does leave one"
    ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--primary-port", "0", "--backup-port", "0"]
    demo = [str(binary()), "demo", "--dir", str(tmp_path / "data"), *ports]
    assert not crashes(tmp_path / "ours", demo)
