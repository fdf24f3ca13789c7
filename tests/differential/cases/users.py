"""Somebody else at the same storage: what its ACLs and policies grant them, and what they do not."""

import json

from cases import case, cases
from cases.acls import grants
from common import rgw

_PART = 5 * 1024 * 1024
_OTHER = {"Type": "CanonicalUser", "ID": rgw.OTHER_ID}
_BUCKETS = ("private", "public-read", "public-read-write", "authenticated-read")
_OBJECTS = ("private", "public-read", "public-read-write", "authenticated-read", "bucket-owner-read")


def _other(side, operation, **arguments):
    return side.call(operation, client=side.other, **arguments)


def _policy(side, actions, what="/*", principal=f"arn:aws:iam:::user/{rgw.OTHER_ID}", effect="Allow", **more):
    resource = f"arn:aws:s3:::{side.bucket}{what}"
    principal = {"AWS": [principal]}
    return {"Effect": effect, "Principal": principal, "Action": actions, "Resource": resource, **more}


def _put_policy(side, *statements):
    side.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def _tries_everything(side, keys):
    """What somebody else may do in the side's bucket, reads first."""
    _other(side, "head_bucket")
    _other(side, "list_objects")
    _other(side, "list_objects_v2", Prefix="f")
    _other(side, "list_object_versions")
    _other(side, "list_multipart_uploads")
    _other(side, "get_bucket_acl")
    for key in keys:
        _other(side, "head_object", Key=key)
        _other(side, "get_object", Key=key)
        _other(side, "get_object", Key=key, Range="bytes=1-")
        _other(side, "get_object_acl", Key=key)
        _other(side, "get_object_tagging", Key=key)
    for key in keys:
        _other(side, "put_object_acl", Key=key, ACL="private")
        _other(side, "put_object", Key=key, Body=b"overwritten")
        side.get_object(Key=key)
    _other(side, "put_object", Key="new", Body=b"new")
    _other(side, "put_bucket_acl", ACL="private")
    _other(side, "put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})
    _other(side, "delete_object", Key=keys[0])
    # One: Ceph tells of several in an order of its own.
    _other(side, "delete_objects", Delete={"Objects": [{"Key": keys[-1]}]})
    _other(side, "delete_bucket")
    side.list_objects_v2()


@cases(**{acl.replace("-", "_"): (acl,) for acl in _BUCKETS})
def bucket(side, acl):
    side.put_bucket_acl(ACL=acl)
    side.put_object(Key="foo", Body=b"bar")
    side.put_object(Key="public", Body=b"bar", ACL="public-read")
    _tries_everything(side, ["foo", "public", "gone"])


@cases(**{acl.replace("-", "_"): (acl,) for acl in _OBJECTS})
def object_of(side, acl):
    side.put_object(Key="foo", Body=b"bar", ACL=acl)
    _tries_everything(side, ["foo"])


@cases(
    full=("FULL_CONTROL",),
    read=("READ",),
    write=("WRITE",),
    read_acp=("READ_ACP",),
    write_acp=("WRITE_ACP",),
)
def granted(side, permission):
    policy = grants(side, permission, _OTHER)
    side.put_object(Key="foo", Body=b"bar")
    side.put_object_acl(Key="foo", AccessControlPolicy=policy)
    side.put_bucket_acl(AccessControlPolicy=policy)
    _tries_everything(side, ["foo"])
    side.get_bucket_acl()


@case
def granted_in_headers(side):
    side.put_object(Key="foo", Body=b"bar", GrantRead=f"id={rgw.OTHER_ID}")
    _other(side, "get_object", Key="foo")
    _other(side, "put_object_acl", Key="foo", ACL="public-read")
    side.get_object_acl(Key="foo")


@case
def buckets_of_each(side):
    theirs = side.name()
    _other(side, "create_bucket", Bucket=theirs)
    mine = {bucket["Name"] for bucket in side.s3.list_buckets()["Buckets"]}
    others = {bucket["Name"] for bucket in side.other.list_buckets()["Buckets"]}
    side.note(mine=[side.bucket in mine, theirs in mine], others=[side.bucket in others, theirs in others])
    side.note(owner=side.other.list_buckets()["Owner"]["ID"])
    side.create_bucket(Bucket=theirs)
    _other(side, "create_bucket", Bucket=side.bucket)
    side.put_object(Bucket=theirs, Key="foo", Body=b"bar")
    side.list_objects_v2(Bucket=theirs)
    side.head_bucket(Bucket=theirs)
    _other(side, "put_object", Bucket=theirs, Key="foo", Body=b"bar")
    _other(side, "list_objects", Bucket=theirs)
    side.get_object(Bucket=theirs, Key="foo")
    side.delete_bucket(Bucket=theirs)
    _other(side, "delete_object", Bucket=theirs, Key="foo")
    _other(side, "delete_bucket", Bucket=theirs)


@cases(**{acl.replace("-", "_"): (acl,) for acl in ("private", "public-read", "bucket-owner-read", "bucket-owner-full-control")})
def object_in_somebody_elses_bucket(side, acl):
    side.put_bucket_acl(ACL="public-read-write")
    _other(side, "put_object", Key="theirs", Body=b"bar", ACL=acl)
    _other(side, "get_object", Key="theirs")
    _other(side, "get_object_acl", Key="theirs")
    side.get_object(Key="theirs")
    side.head_object(Key="theirs")
    side.get_object_acl(Key="theirs")
    side.list_objects_v2()
    side.list_objects()
    _other(side, "list_objects_v2")
    side.put_object_acl(Key="theirs", ACL="private")
    side.delete_object(Key="theirs")
    side.list_objects_v2()


@cases(
    reads=(["s3:GetObject"], "/*", {}),
    some_reads=(["s3:GetObject"], "/public/*", {}),
    listings=(["s3:ListBucket"], "", {}),
    some_listings=(["s3:ListBucket"], "", {"Condition": {"StringEquals": {"s3:prefix": "public/"}}}),
    writes=(["s3:PutObject"], "/*", {}),
    removals=(["s3:DeleteObject"], "/*", {}),
    everything=(["s3:*"], "/*", {}),
)
def policy(side, actions, what, more):
    for key in ("public/a", "private/a"):
        side.put_object(Key=key, Body=b"bar", Tagging="a=b")
    _put_policy(side, _policy(side, actions, what, **more))
    _other(side, "list_objects_v2", Prefix="public/")
    _tries_everything(side, ["public/a", "private/a"])


@case
def policy_that_denies(side):
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    side.put_object(Key="goo", Body=b"bar", ACL="public-read")
    _put_policy(side, _policy(side, ["s3:GetObject"], "/goo", effect="Deny"))
    for key in ("foo", "goo"):
        _other(side, "get_object", Key=key)
        side.get_object(Key=key)


def _upload(side, key, bodies, client):
    upload = side.call("create_multipart_upload", client=client, Key=key)
    if not upload:
        return
    named = {"Key": key, "UploadId": upload["UploadId"]}
    parts = []
    for number, body in enumerate(bodies, 1):
        part = side.call("upload_part", client=client, PartNumber=number, Body=body, **named)
        if part:
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
    return named, {"Parts": parts}


@cases(
    private=("private", [b"small"]),
    public_write=("public-read-write", [b"small"]),
    large=("public-read-write", [b"x" * _PART, b"small"]),
)
def upload_in_parts(side, acl, bodies):
    side.put_bucket_acl(ACL=acl)
    begun = _upload(side, "theirs", bodies, side.other)
    if begun:
        named, whole = begun
        side.list_multipart_uploads()
        _other(side, "list_multipart_uploads")
        side.list_parts(**named)
        _other(side, "list_parts", **named)
        _other(side, "complete_multipart_upload", MultipartUpload=whole, **named)
    side.get_object(Key="theirs")
    _other(side, "get_object", Key="theirs")


@cases(private=("private",), public_read=("public-read",))
def upload_of_somebody_else(side, acl):
    side.put_bucket_acl(ACL=acl)
    named, whole = _upload(side, "mine", [b"x" * _PART, b"small"], side.s3)
    _other(side, "list_multipart_uploads")
    _other(side, "list_parts", **named)
    for body in (b"y" * _PART, b"small"):
        _other(side, "upload_part", PartNumber=1, Body=body, **named)
    _other(side, "complete_multipart_upload", MultipartUpload=whole, **named)
    _other(side, "abort_multipart_upload", **named)
    side.list_parts(**named)
    side.complete_multipart_upload(MultipartUpload=whole, **named)
    side.head_object(Key="mine")
    _other(side, "get_object", Key="mine")


@cases(small=(b"bar",), large=(b"x" * (_PART + 1),))
def copy_of_somebody_elses_object(side, body):
    theirs = side.name()
    _other(side, "create_bucket", Bucket=theirs)
    side.put_object(Key="private", Body=body)
    side.put_object(Key="public", Body=body, ACL="public-read")
    for key in ("private", "public"):
        source = {"Bucket": side.bucket, "Key": key}
        _other(side, "copy_object", Bucket=theirs, Key=f"copy-of-{key}", CopySource=source)
        _other(side, "get_object", Bucket=theirs, Key=f"copy-of-{key}")
        _other(side, "copy_object", Key=f"copy-of-{key}", CopySource=source)
        side.get_object(Bucket=theirs, Key=f"copy-of-{key}")
    for key in ("copy-of-private", "copy-of-public"):
        _other(side, "delete_object", Bucket=theirs, Key=key)
    _other(side, "delete_bucket", Bucket=theirs)


@case
def versions(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    old = side.put_object(Key="foo", Body=b"old", ACL="public-read")["VersionId"]
    new = side.put_object(Key="foo", Body=b"new")["VersionId"]
    for version in (old, new):
        _other(side, "get_object", Key="foo", VersionId=version)
        _other(side, "head_object", Key="foo", VersionId=version)
    _other(side, "get_object", Key="foo")
    _other(side, "delete_object", Key="foo", VersionId=old)
    _other(side, "delete_object", Key="foo")
    side.put_bucket_acl(ACL="public-read-write")
    _other(side, "delete_object", Key="foo", VersionId=old)
    _other(side, "delete_object", Key="foo")
    _other(side, "put_object", Key="foo", Body=b"theirs")
    side.get_object(Key="foo")
    side.list_object_versions()


@case
def conditions(side):
    side.put_bucket_acl(ACL="public-read-write")
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    _other(side, "put_object", Key="foo", Body=b"new", IfNoneMatch="*")
    _other(side, "put_object", Key="goo", Body=b"new", IfNoneMatch="*")
    _other(side, "get_object", Key="foo", IfMatch=etag)
    side.get_object(Key="goo")


@case
def presigned(side):
    side.put_object(Key="foo", Body=b"bar")
    side.put_object(Key="public", Body=b"bar", ACL="public-read")
    for key in ("foo", "public"):
        url = side.other.generate_presigned_url("get_object", {"Bucket": side.bucket, "Key": key})
        side.raw("GET", path=url.removeprefix(side.target.endpoint), sign=False)
