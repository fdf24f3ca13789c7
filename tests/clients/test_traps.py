"""Traps of design note 5 that show from outside and belong to no other file; and what the sites must not see."""

import dataclasses
import secrets

import pytest
from botocore.exceptions import ClientError
from common import audit
from common import target as targets
from common.data import FIVE_MIB, content
from common.sites import keys_of, read
from common.wire import Wire
from conftest import new_bucket
from s3errors import error_of

SECRETS = ("秘密".encode(), b"Zhang-San-passport", b"text/x-private", b"private-name.pdf")


def raw_heads(target, bucket, key) -> list[str]:
    """Every header of the object at every site."""
    heads = [site.s3().head_object(Bucket=site.raw_bucket(bucket), Key=key) for site in target.sites]
    return [str(head["ResponseMetadata"]["HTTPHeaders"]) for head in heads]


def test_metadata_and_content_headers_are_sealed_at_the_sites(target, s3, bucket):
    private = {"Metadata": {"holder": "Zhang-San-passport"}, "ContentType": "text/x-private"}
    private["ContentDisposition"] = 'attachment; filename="private-name.pdf"'
    s3.put_object(Bucket=bucket, Key="single", Body=b"x", **private)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **private)["UploadId"]
    where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = s3.upload_part(**where, PartNumber=1, Body=content(FIVE_MIB))
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    for key in ("single", "parts"):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert {name: head[name] for name in private} == private
        for shown in raw_heads(target, bucket, key):
            assert not [secret for secret in SECRETS if secret.decode() in shown], shown
            assert "application/octet-stream" in shown


@pytest.mark.parametrize("name", ["strongroom", "Strongroom", "x-amz-meta-strongroom", "strongroom-sealed"])
def test_a_client_cannot_plant_internal_metadata(target, s3, bucket, name):
    """Trap 13: it is refused, or dropped, or the client's own metadata; it is never believed nor shown to a site."""
    try:
        s3.put_object(Bucket=bucket, Key="k", Body=content(100), Metadata={name: "forged", "mine": "1"})
    except ClientError as refused:
        assert refused.response["Error"]["Code"] == "InvalidArgument"
        return audit.sites_are_empty(target, bucket)
    metadata = s3.head_object(Bucket=bucket, Key="k")["Metadata"]
    assert metadata["mine"] == "1" and metadata.get(name.lower(), "forged") == "forged"
    assert read(s3, bucket, "k") == content(100)
    assert not any("forged" in shown for shown in raw_heads(target, bucket, "k"))


def test_the_same_object_never_gives_the_same_sealed_bytes(target, s3, bucket):
    """Trap 2: fresh keys and salts for every write, a copy and an overwrite included."""
    if not target.sites:
        pytest.skip("looks behind the proxy")
    seen = set()
    for key in ("a", "a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=content(20_000))
        seen.add(read(target.sites[0].s3(), target.sites[0].raw_bucket(bucket), key))
    assert len(seen) == 3
    assert len({sealed[:24] for sealed in seen}) == 3


def test_nothing_but_the_objects_is_in_the_bucket(target, s3, bucket):
    """Trap 4: no sidecars, whatever was done."""
    s3.put_object(Bucket=bucket, Key="k", Body=content(20_000))
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=content(FIVE_MIB))
    for site in target.sites:
        assert set(keys_of(site.s3(), site.raw_bucket(bucket))) == {"k", "copy"}
    s3.abort_multipart_upload(Bucket=bucket, Key="m", UploadId=upload)


def test_every_response_says_it_is_encrypted(target, s3, bucket):
    """Design note 4: AES256 unless aws:kms was asked for."""
    if not target.proxy:
        pytest.skip("looks behind the proxy")
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for answer in (put, s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert answer["ServerSideEncryption"] == "AES256"


def test_sites_may_have_prefixes_of_their_own(start_proxy, pool):
    """The same logical bucket under another name at each site."""
    first, second = pool.sites("embedded")
    mark = secrets.token_hex(3)
    renamed = [dataclasses.replace(first, bucket_prefix=f"p{mark}-"), dataclasses.replace(second, bucket_prefix="")]
    proxy = start_proxy(renamed)
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="k", Body=content(1000))
    audit.check_bucket(targets.of_proxy(proxy, "embedded"), bucket)
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert read(first.s3(), f"p{mark}-{bucket}", "k") == read(second.s3(), bucket, "k")
    audit.remove_bucket(s3, bucket)


def test_virtual_host_addressing(start_proxy, pool):
    proxy = start_proxy(pool.sites("embedded"), domain="s3.test")
    s3 = proxy.s3()
    bucket = new_bucket(s3)
    wire = Wire(targets.of_proxy(proxy, "embedded"))
    host = {"Host": f"{bucket}.s3.test:{proxy.port}"}
    assert wire.send("PUT", "/a/b", b"hello", headers=host).status == 200
    assert wire.send("GET", "/a/b", headers=host).body == b"hello"
    assert read(s3, bucket, "a/b") == b"hello"
    # A host that is not ours names no bucket.
    assert wire.send("GET", "/a/b", headers={"Host": f"{bucket}.elsewhere.test"}).status in (400, 403, 404)
    assert error_of(s3.head_bucket, Bucket="a-bucket-that-is-not-there")[1] == 404
    audit.remove_bucket(s3, bucket)
