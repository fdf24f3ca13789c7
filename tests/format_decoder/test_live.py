"""Objects that the built proxy has just written, read back from both raw sites without it."""

import hashlib
import pathlib
import subprocess
import sys

import pytest
from cobblestone import Refused
from common.data import content
from common.demo import Demo
from keyring import Keyring
from whole import decode

MIB = 1 << 20
SIZES = (0, 1, 16383, 16384, 16385, MIB, 6 * MIB + 1)
BUCKET, KEY = "ledgers", "客户 4711/a+b %41/对账单.pdf"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of its own."""
    demo = Demo(tmp_path_factory.mktemp("demo")).start()
    demo.s3().create_bucket(Bucket=BUCKET)
    yield demo
    demo.stop()


@pytest.fixture(scope="module", params=["primary", "backup"])
def site(request, demo):
    """A raw site, and its keyring opened with the root key."""
    raw = next(site for site in demo.sites() if site.name == request.param)
    (root,) = demo.data.rglob("*root*.key")
    s3 = raw.s3()
    system = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].endswith("strongroom-system"))
    keys = Keyring(bytes.fromhex(root.read_text().strip()))
    for entry in s3.list_objects_v2(Bucket=system, Prefix="keyring/v1/")["Contents"]:
        blob = s3.get_object(Bucket=system, Key=entry["Key"])["Body"].read()
        keys.add(entry["Key"].removeprefix("keyring/v1/"), blob)
    return s3, keys


def backend_bucket(s3) -> str:
    """The site may put a prefix before the client's name."""
    return next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].endswith(BUCKET))


def fetch(s3, key: str) -> tuple[bytes, dict]:
    """The sealed bytes, and the metadata beside them."""
    got = s3.get_object(Bucket=backend_bucket(s3), Key=key)
    return got["Body"].read(), got["Metadata"]


@pytest.mark.parametrize("size", SIZES)
def test_an_object_decodes_to_its_bytes_and_etag(demo, site, size):
    s3, keys = site
    plain, key = content(size), f"plain/{size}"
    etag = demo.s3().put_object(Bucket=BUCKET, Key=key, Body=plain)["ETag"].strip('"')
    found = decode(fetch(s3, key)[0], keys.find, BUCKET, key)
    assert found.plain == plain
    assert found.etag == etag == hashlib.md5(plain).hexdigest()


def test_a_multipart_upload_of_uneven_parts_decodes(demo, site):
    s3, keys = site
    front, key = demo.s3(), "multipart"
    upload = front.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    where = {"Bucket": BUCKET, "Key": key, "UploadId": upload}
    pieces = {2: content(5 * MIB, 2), 7: content(6 * MIB, 7), 9: content(1, 9)}
    parts = [
        {"PartNumber": number, "ETag": front.upload_part(**where, PartNumber=number, Body=piece)["ETag"]}
        for number, piece in pieces.items()
    ]
    etag = front.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})["ETag"].strip('"')
    found = decode(fetch(s3, key)[0], keys.find, BUCKET, key)
    assert found.plain == b"".join(pieces.values())
    assert (found.etag, found.clear.parts) == (etag, 3)


def test_a_copy_that_took_over_the_body_decodes_under_its_own_name(demo, site):
    s3, keys = site
    front, plain = demo.s3(), content(6 * MIB + 1)
    front.put_object(Bucket=BUCKET, Key="original", Body=plain, Metadata={"who": "original"})
    new = {"MetadataDirective": "REPLACE", "Metadata": {"who": "copy"}}
    front.copy_object(Bucket=BUCKET, Key="copied", CopySource={"Bucket": BUCKET, "Key": "original"}, **new)
    (original, _), (copied, beside) = fetch(s3, "original"), fetch(s3, "copied")
    found = decode(copied, keys.find, BUCKET, "copied")
    assert found.plain == plain and found.etag == hashlib.md5(plain).hexdigest()
    assert b'"who":"copy"' in found.metadata(beside["strongroom"])
    body = found.clear.body
    assert original[:body] == copied[:body] and original[body:] != copied[body:]
    for sealed, name in ((original, "copied"), (copied, "original")):
        with pytest.raises(Refused):
            decode(sealed, keys.find, BUCKET, name)


def test_names_and_metadata_of_any_script_decode(demo, site):
    s3, keys = site
    # Non-ASCII metadata travels as RFC 2047 words, and comes back as the client wrote it.
    demo.s3().put_object(
        Bucket=BUCKET, Key=KEY, Body=b"x", ContentType="application/pdf", Metadata={"client": "=?UTF-8?B?6ZW/5Z+O?="}
    )
    sealed, beside = fetch(s3, KEY)
    found = decode(sealed, keys.find, BUCKET, KEY)
    assert found.plain == b"x"
    metadata = found.metadata(beside["strongroom"])
    assert b'"t":"application/pdf"' in metadata and b'"client"' in metadata


def test_a_changed_or_moved_object_is_refused(demo, site):
    s3, keys = site
    plain = content(40000)
    for key in ("one", "other"):
        demo.s3().put_object(Bucket=BUCKET, Key=key, Body=plain)
    sealed, _ = fetch(s3, "one")
    other, _ = fetch(s3, "other")
    flipped = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(0, len(sealed), 997)]
    for bad in [*flipped, sealed[:-1], sealed[1:], sealed + b"\0", b"", other]:
        with pytest.raises(Refused):
            decode(bad, keys.find, BUCKET, "one")
    for bucket, key in ((BUCKET, "two"), ("ledger", "one"), ("ledgerso", "ne")):
        with pytest.raises(Refused):
            decode(sealed, keys.find, bucket, key)


def test_the_command_line_writes_the_plain_bytes(demo, site, tmp_path):
    s3, _ = site
    plain = content(20000)
    demo.s3().put_object(Bucket=BUCKET, Key="file", Body=plain)
    (tmp_path / "object").write_bytes(fetch(s3, "file")[0])
    system = next(b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].endswith("strongroom-system"))
    (tmp_path / "ring").mkdir()
    for entry in s3.list_objects_v2(Bucket=system, Prefix="keyring/v1/")["Contents"]:
        blob = s3.get_object(Bucket=system, Key=entry["Key"])["Body"].read()
        (tmp_path / "ring" / pathlib.Path(entry["Key"]).name).write_bytes(blob)
    (root,) = demo.data.rglob("*root*.key")
    program = pathlib.Path(__file__).with_name("decode.py")
    command = [sys.executable, program, "--root-key", root, "--keyring", tmp_path / "ring", "--bucket", BUCKET]
    command = [*map(str, command), "--key"]
    done = subprocess.run([*command, "file", str(tmp_path / "object")], capture_output=True)
    assert (done.returncode, done.stdout) == (0, plain), done.stderr
    refused = subprocess.run([*command, "another", str(tmp_path / "object")], capture_output=True)
    assert (refused.returncode, refused.stdout) == (1, b"")
