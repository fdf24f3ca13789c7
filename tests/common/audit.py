"""The cross-check after every test: what clients see, what lies at the sites, and what must not show there."""

import hashlib

from . import sealed
from .sites import keys_of, read
from .target import Target
from .wait import until

# Of a bucket with very many keys only so many are read in full; the sets of keys are always compared.
SAMPLED = 60


def check_bucket(target: Target, bucket: str) -> None:
    """Every object of the bucket: same ETag and size everywhere for clients, sealed and identical at the sites."""
    s3 = target.s3()
    listed = keys_of(s3, bucket)
    step = max(1, len(listed) // SAMPLED)
    for key, entry in list(listed.items())[::step]:
        plain = _check_plain_view(s3, bucket, key, entry)
        if target.sites:
            _check_raw_view(target, bucket, key, plain)
    for site in target.sites:
        raw_keys = set(keys_of(site.s3(), site.raw_bucket(bucket)))
        assert raw_keys == set(listed), f"{site.name}: keys differ from what clients see: {raw_keys ^ set(listed)}"


def _check_plain_view(s3, bucket: str, key: str, entry: dict) -> bytes:
    head = s3.head_object(Bucket=bucket, Key=key)
    got = s3.get_object(Bucket=bucket, Key=key)
    plain = got["Body"].read()
    where = f"{bucket}/{key}"
    assert head["ETag"] == entry["ETag"] == got["ETag"], f"{where}: ETags of HEAD, LIST and GET"
    assert head["ContentLength"] == entry["Size"] == len(plain), f"{where}: sizes of HEAD, LIST and GET"
    if "-" not in head["ETag"]:
        assert head["ETag"].strip('"') == hashlib.md5(plain).hexdigest(), f"{where}: the ETag is the MD5"
    return plain


def _check_raw_view(target: Target, bucket: str, key: str, plain: bytes) -> None:
    primary, *backups = target.sites
    original = read(primary.s3(), primary.raw_bucket(bucket), key)
    where = f"{bucket}/{key}"
    assert len(original) == sealed.canonical_length(len(plain)), f"{where}: sealed length is not C({len(plain)})"
    assert not (shown := sealed.betrayals(original, plain)), f"{where}: the sealed object shows {shown}"
    for backup in backups:
        until(lambda: _copy_at(backup, bucket, key) == original, f"{where}: {backup.name} is byte-identical")


def _copy_at(site, bucket: str, key: str) -> bytes | None:
    s3 = site.s3()
    try:
        return read(s3, site.raw_bucket(bucket), key)
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        return None


def sites_are_empty(target: Target, bucket: str) -> None:
    """Nothing of the bucket is at any site."""
    for site in target.sites:
        assert not keys_of(site.s3(), site.raw_bucket(bucket)), f"{site.name} holds objects"


def remove_bucket(s3, bucket: str) -> None:
    """Empties and deletes it, uploads in progress included."""
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    keys = list(keys_of(s3, bucket))
    for start in range(0, len(keys), 1000):
        names = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
        assert "Errors" not in answer, answer["Errors"][:3]
    s3.delete_bucket(Bucket=bucket)
