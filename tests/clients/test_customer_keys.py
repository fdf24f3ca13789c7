"""SSE-C: objects under a key that the client brings with every request, over TLS and from the proxy's own machine."""

import base64
import hashlib
import json
import pathlib

import pytest
from common import audit, sealed
from common.data import FIVE_MIB, MIB, content
from common.proxy import strongroom
from common.sites import keys_of, read
from common.wait import until
from conftest import LITTLE, new_bucket
from drivers.rclone import Rclone
from s3errors import error_of

ALGORITHM = "AES256"
KEY, OTHER = b"0123456789abcdefghijklmnopqrstuv", b"vutsrqponmlkjihgfedcba9876543210"
SIZES = [0, 1, 16384, 300_000, FIVE_MIB + 1]


def md5_of(key: bytes) -> str:
    """As the header has it."""
    return base64.b64encode(hashlib.md5(key).digest()).decode()


def own(key: bytes | str = KEY) -> dict:
    """The key of the object that a request is about (boto3 adds the MD5)."""
    return {"SSECustomerAlgorithm": ALGORITHM, "SSECustomerKey": key}


def source(key: bytes = KEY) -> dict:
    """The key of a copy's source."""
    return {"CopySourceSSECustomerAlgorithm": ALGORITHM, "CopySourceSSECustomerKey": key}


@pytest.fixture
def bucket(target, s3):
    """A bucket whose objects no cross-check can read; what lies at the sites is looked at by the tests."""
    name = new_bucket(s3)
    yield name
    audit.remove_bucket(s3, name)


def told(answer, key: bytes = KEY) -> None:
    """The answer says whose key it is, and no more."""
    assert (answer["SSECustomerAlgorithm"], answer["SSECustomerKeyMD5"]) == (ALGORITHM, md5_of(key))
    assert "ServerSideEncryption" not in answer


def closed(s3, bucket: str, name: str, key: bytes) -> None:
    """Without the key, and with another one, nothing is told."""
    where = {"Bucket": bucket, "Key": name}
    other = bytes([key[0] ^ 1]) + key[1:]
    assert error_of(s3.get_object, **where) == ("InvalidRequest", 400)
    assert error_of(s3.get_object, **where, Range="bytes=0-0") == ("InvalidRequest", 400)
    assert error_of(s3.head_object, **where) == ("400", 400)
    assert error_of(s3.get_object_attributes, **where, ObjectAttributes=["ETag"]) == ("InvalidRequest", 400)
    assert error_of(s3.get_object, **where, **own(other)) == ("AccessDenied", 403)
    assert error_of(s3.head_object, **where, **own(other)) == ("403", 403)


def identical(target, bucket: str, name: str, plain: bytes, key: bytes = KEY) -> None:
    """Both sites hold the same sealed bytes, and neither the plaintext nor the key in any form."""
    raw = None
    for site in target.sites:
        where = {"Bucket": site.raw_bucket(bucket), "Key": name}
        until(lambda: name in keys_of(site.s3(), where["Bucket"]), f"{site.name} has it", 20)  # noqa: B023
        got = site.s3().get_object(**where)
        bytes_there, said = got["Body"].read(), json.dumps(got["ResponseMetadata"]["HTTPHeaders"]).lower()
        assert raw is None or bytes_there == raw, f"{site.name} differs"
        raw = bytes_there
        assert "customer" not in said
        for spelled in (base64.b64encode(key).decode(), md5_of(key), key.decode()):
            assert spelled.lower() not in said and spelled.encode() not in raw
        assert key not in raw and hashlib.md5(key).digest() not in raw
    assert len(raw) == sealed.canonical_length(len(plain)) and not sealed.betrayals(raw, plain)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_is_read_with_its_key_and_with_no_other(target, s3, bucket, size):
    plain, where = content(size), {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**where, Body=plain, ContentType="text/x-test", Metadata={"who": "Ada"}, **own())
    told(put)
    assert put["ETag"] == f'"{hashlib.md5(plain).hexdigest()}"'
    for _ in range(2):
        got = s3.get_object(**where, **own())
        told(got)
        assert (got["Body"].read(), got["ETag"], got["Metadata"]) == (plain, put["ETag"], {"who": "Ada"})
    head = s3.head_object(**where, **own())
    told(head)
    assert (head["ContentLength"], head["ContentType"]) == (size, "text/x-test")
    if size > 20_000:
        ranged = s3.get_object(**where, Range="bytes=16380-16390", **own())
        assert ranged["Body"].read() == plain[16380:16391]
    # For this operation boto3 sends what it is given.
    by_hand = {**own(base64.b64encode(KEY).decode()), "SSECustomerKeyMD5": md5_of(KEY)}
    attributes = s3.get_object_attributes(**where, ObjectAttributes=["ObjectSize", "ETag"], **by_hand)
    assert attributes["ObjectSize"] == size
    closed(s3, bucket, "k", KEY)
    assert keys_of(s3, bucket)["k"]["Size"] == size, "a listing needs no key"
    identical(target, bucket, "k", plain)


def test_a_key_for_what_has_none_is_refused(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"plain")
    assert error_of(s3.get_object, **where, **own()) == ("InvalidRequest", 400)
    assert error_of(s3.head_object, **where, **own()) == ("400", 400)
    assert error_of(s3.put_object, **where, Body=b"x", ServerSideEncryption="AES256", **own()) == ("InvalidArgument", 400)
    assert s3.get_object(**where)["Body"].read() == b"plain"


def upload(s3, bucket: str, pieces: dict[int, bytes], key: bytes = KEY) -> dict:
    """A multipart upload under a key; the answer of Complete."""
    where = {"Bucket": bucket, "Key": "parts"}
    created = s3.create_multipart_upload(**where, **own(key))
    told(created, key)
    where["UploadId"] = created["UploadId"]
    parts = []
    for number, piece in pieces.items():
        sent = s3.upload_part(**where, PartNumber=number, Body=piece, **own(key))
        told(sent, key)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    return s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})


def test_uneven_parts_are_one_object_under_one_key(target, s3, bucket):
    pieces = {2: content(FIVE_MIB + 1, 2), 3: content(7 * MIB + 13, 3), 9: content(17, 9)}
    plain, where = b"".join(pieces.values()), {"Bucket": bucket, "Key": "parts"}
    upload(s3, bucket, pieces)
    got = s3.get_object(**where, **own())
    told(got)
    assert got["Body"].read() == plain
    seam = FIVE_MIB + 1
    ranged = s3.get_object(**where, Range=f"bytes={seam - 5}-{seam + 40_000}", **own())
    assert ranged["Body"].read() == plain[seam - 5 : seam + 40_001]
    assert s3.get_object(**where, PartNumber=3, **own())["Body"].read() == pieces[3]
    closed(s3, bucket, "parts", KEY)
    identical(target, bucket, "parts", plain)


def test_a_part_with_another_key_or_none_is_refused(s3, bucket):
    where = {"Bucket": bucket, "Key": "parts"}
    where["UploadId"] = s3.create_multipart_upload(**where, **own())["UploadId"]
    part = {**where, "PartNumber": 1, "Body": b"part"}
    assert error_of(s3.upload_part, **part) == ("InvalidRequest", 400)
    assert error_of(s3.upload_part, **part, **own(OTHER)) == ("InvalidRequest", 400)
    s3.upload_part(**part, **own())
    assert [entry["Size"] for entry in s3.list_parts(**where)["Parts"]] == [4]
    plain = {"Bucket": bucket, "Key": "plain"}
    plain["UploadId"] = s3.create_multipart_upload(**plain)["UploadId"]
    assert error_of(s3.upload_part, **plain, PartNumber=1, Body=b"x", **own()) == ("InvalidRequest", 400)


@pytest.mark.parametrize("size", [1000, FIVE_MIB + 1000])
def test_copies_take_over_give_and_change_keys(target, s3, bucket, size):
    plain = content(size)
    s3.put_object(Bucket=bucket, Key="open", Body=plain)
    s3.put_object(Bucket=bucket, Key="keyed", Body=plain, **own())

    def copy(name: str, new: str, **keys):
        return s3.copy_object(Bucket=bucket, Key=new, CopySource={"Bucket": bucket, "Key": name}, **keys)

    copy("open", "none-none")
    told(copy("open", "none-key", **own(OTHER)), OTHER)
    copy("keyed", "key-none", **source())
    told(copy("keyed", "key-other", **source(), **own(OTHER)), OTHER)
    told(copy("keyed", "key-key", **source(), **own()))
    for name, key in (("none-none", None), ("none-key", OTHER), ("key-none", None), ("key-other", OTHER), ("key-key", KEY)):
        got = s3.get_object(Bucket=bucket, Key=name, **(own(key) if key else {}))
        assert got["Body"].read() == plain, name
        if key:
            closed(s3, bucket, name, key)
            identical(target, bucket, name, plain, key)
    for keys in ({}, own(OTHER)):
        assert error_of(copy, name="keyed", new="bad", **keys) == ("InvalidRequest", 400)
    assert error_of(copy, name="keyed", new="bad", **source(OTHER)) == ("AccessDenied", 403)
    assert error_of(copy, name="open", new="bad", **source()) == ("InvalidRequest", 400)
    assert "bad" not in keys_of(s3, bucket)


def test_a_copy_under_the_same_key_moves_no_data_and_another_key_does(target, s3, bucket, moves_nothing):
    plain = content(20 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=plain, **own())
    where = {"Bucket": bucket, "CopySource": {"Bucket": bucket, "Key": "k"}}
    with moves_nothing():
        s3.copy_object(**where, Key="same", **source(), **own())
    assert s3.get_object(Bucket=bucket, Key="same", **own())["Body"].read() == plain
    if target.proxy:
        with pytest.raises(AssertionError), moves_nothing(LITTLE):
            s3.copy_object(**where, Key="other", **source(), **own(OTHER))
        assert s3.get_object(Bucket=bucket, Key="other", **own(OTHER))["Body"].read() == plain


def test_a_part_is_copied_from_a_source_under_another_key(s3, bucket):
    plain = content(FIVE_MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=plain, **own(OTHER))
    where = {"Bucket": bucket, "Key": "parts"}
    where["UploadId"] = s3.create_multipart_upload(**where, **own())["UploadId"]
    part = {**where, "PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "from"}}
    assert error_of(s3.upload_part_copy, **part, **own()) == ("InvalidRequest", 400)
    assert error_of(s3.upload_part_copy, **part, **source(OTHER)) == ("InvalidRequest", 400)
    copied = s3.upload_part_copy(**part, **source(OTHER), **own())
    told(copied)
    parts = [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="parts", **own())["Body"].read() == plain


def test_rclone_stores_and_reads_with_a_key(target, s3, bucket, tmp_path):
    driver = Rclone(target, tmp_path)
    plain = content(20 * MIB)
    (tmp_path / "plain").write_bytes(plain)
    keyed = ["--s3-sse-customer-algorithm", ALGORITHM, "--s3-sse-customer-key", KEY.decode()]
    driver.run("copyto", tmp_path / "plain", f"s3:{bucket}/k", *keyed)
    assert s3.get_object(Bucket=bucket, Key="k", **own())["Body"].read() == plain
    driver.run("copyto", f"s3:{bucket}/k", tmp_path / "back", *keyed)
    assert (tmp_path / "back").read_bytes() == plain
    closed(s3, bucket, "k", KEY)


def test_a_backup_serves_while_the_primary_is_down(start_proxy, pool, fault):
    primary, backup = pool.sites("embedded")
    behind, injector = fault(primary)
    proxy = start_proxy([behind, backup])
    s3, plain = proxy.s3(), content(2 * MIB)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="k", Body=plain, **own())
    injector.mode = "refuse"
    got = s3.get_object(Bucket=bucket, Key="k", **own())
    assert got["Body"].read() == plain
    assert got["ResponseMetadata"]["HTTPHeaders"]["x-strongroom-served-by"] == backup.name
    closed(s3, bucket, "k", KEY)


def test_tools_without_the_key_say_what_they_could_not_check(start_proxy, pool, tmp_path):
    proxy = start_proxy(pool.sites("embedded"))
    s3, plain = proxy.s3(), content(300_000)
    bucket = new_bucket(s3)
    s3.put_object(Bucket=bucket, Key="keyed", Body=plain, **own())
    s3.put_object(Bucket=bucket, Key="open", Body=plain)
    config = ["--config", str(proxy.config), "--bucket", bucket]
    verified = strongroom("verify", *config, check=True)
    assert "2 with content not checked: customer key" in verified.stdout and ", 0 damaged" in verified.stdout
    strongroom("reconcile", *config, "--all", check=True)
    # One byte of the content, at one site: who has no key can still see that the sites differ.
    site = proxy.settings.sites[1]
    where = {"Bucket": site.raw_bucket(bucket), "Key": "keyed"}
    got = site.s3().get_object(**where)
    rotten = bytearray(got["Body"].read())
    rotten[100_000] ^= 1
    site.s3().put_object(**where, Body=bytes(rotten), Metadata=got["Metadata"])
    compared = strongroom("reconcile", *config, "--all", "--repair", check=False)
    assert compared.returncode == 1 and "content not checked: customer key" in compared.stdout + compared.stderr
    assert bytes(rotten) == read(site.s3(), where["Bucket"], "keyed"), "nothing is copied on suspicion"
    restored = strongroom("restore", *config, "--from", proxy.settings.sites[0].name, "--to-folder", str(tmp_path / "out"), check=False)
    assert restored.returncode != 0 and "customer's key" in restored.stdout + restored.stderr
    assert [path.name for path in pathlib.Path(tmp_path / "out").rglob("*") if path.is_file()] == ["open"]
    assert s3.get_object(Bucket=bucket, Key="keyed", **own())["Body"].read() == plain
