"""Requests without any signature: what a case makes public, through either side, anybody may."""

import json

import requests
from cases import case, cases

_READS = {
    "whole": {},
    "range": {"headers": {"Range": "bytes=1-"}},
    "condition": {"headers": {"If-None-Match": '"37b51d194a7513e45b56f6524f2d51f2"'}},
    "origin": {"headers": {"Origin": "https://page.example.com"}},
    "another_type": {"query": {"response-content-type": "text/plain"}},
    "tags": {"query": {"tagging": ""}},
    "acl": {"query": {"acl": ""}},
    "attributes": {"query": {"attributes": ""}, "headers": {"x-amz-object-attributes": "ETag"}},
}
_LISTINGS = {
    "objects": {},
    "second_form": {"list-type": "2"},
    "prefix": {"prefix": "public/", "list-type": "2"},
    "versions": {"versions": ""},
    "uploads": {"uploads": ""},
    "location": {"location": ""},
    "acl": {"acl": ""},
    "policy": {"policy": ""},
    "versioning": {"versioning": ""},
}


def _anybody(side, method, key="", body=b"", **options):
    return side.raw(method, key, body, sign=False, **options)


def _allow(side, actions: list[str], what: str = "/*", **more):
    resource = f"arn:aws:s3:::{side.bucket}{what}"
    return {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resource, **more}


def _policy(side, *statements):
    side.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


@case
def of_a_private_bucket(side):
    side.put_object(Key="foo", Body=b"bar")
    for method, key in (("GET", "foo"), ("HEAD", "foo"), ("GET", ""), ("HEAD", ""), ("DELETE", "foo"), ("GET", "gone")):
        _anybody(side, method, key)
    _anybody(side, "PUT", "foo", b"bar")
    side.raw("PUT", path=f"/{side.name()}", sign=False)
    side.raw("GET", path="/no-such-bucket-anywhere/foo", sign=False)
    side.raw("GET", path="/no-such-bucket-anywhere", sign=False)
    side.raw("PUT", path="/no-such-bucket-anywhere/foo", body=b"x", sign=False)
    side.get_object(Key="foo")


@case
def of_a_public_bucket(side):
    side.put_bucket_acl(ACL="public-read")
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    side.put_object(Key="private", Body=b"bar")
    for key in ("foo", "private", "gone", ""):
        _anybody(side, "GET", key)
        _anybody(side, "HEAD", key)
    _anybody(side, "PUT", "new", b"bar")
    _anybody(side, "DELETE", "foo")
    side.get_object(Key="foo")


@cases(**{name: (options,) for name, options in _READS.items()})
def read_of_a_public_object(side, options):
    side.put_object(Key="foo", Body=b"bar", ACL="public-read", Metadata={"a": "b"}, ContentType="text/csv")
    _anybody(side, "GET", "foo", **options)


@cases(**{name: ({"query": query},) for name, query in _LISTINGS.items()})
def question_to_a_public_bucket(side, options):
    side.put_bucket_acl(ACL="public-read")
    for key in ("public/a", "public/b", "c"):
        side.put_object(Key=key, Body=key.encode())
    _anybody(side, "GET", **options)


@case
def a_public_object_becomes_private(side):
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    _anybody(side, "GET", "foo")
    side.put_object_acl(Key="foo", ACL="private")
    _anybody(side, "GET", "foo")
    side.put_object_acl(Key="foo", ACL="authenticated-read")
    _anybody(side, "GET", "foo")
    side.get_object(Key="foo")


@case
def a_public_object_is_removed(side):
    side.put_object(Key="foo", Body=b"bar", ACL="public-read")
    side.delete_object(Key="foo")
    _anybody(side, "GET", "foo")


@case
def versions_of_a_public_object(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    old = side.put_object(Key="foo", Body=b"old", ACL="public-read")["VersionId"]
    new = side.put_object(Key="foo", Body=b"new")["VersionId"]
    for version in (old, new):
        _anybody(side, "GET", "foo", query={"versionId": version})
    _anybody(side, "GET", "foo")
    side.put_object_acl(Key="foo", ACL="public-read")
    marker = side.delete_object(Key="foo")["VersionId"]
    _anybody(side, "GET", "foo")
    _anybody(side, "GET", "foo", query={"versionId": new})
    _anybody(side, "HEAD", "foo", query={"versionId": marker})


@case
def anybody_may_write(side):
    side.put_bucket_acl(ACL="public-read-write")
    _anybody(side, "PUT", "foo", b"bar", headers={"Content-Type": "text/csv", "x-amz-meta-a": "b"})
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.list_multipart_uploads()
    side.list_objects_v2()
    _anybody(side, "PUT", "empty")
    side.get_object(Key="empty")


@case
def anybody_may_remove(side):
    side.put_bucket_acl(ACL="public-read-write")
    side.put_object(Key="foo", Body=b"bar")
    _anybody(side, "DELETE", "foo")
    _anybody(side, "POST", "foo", query={"uploads": ""})


@cases(
    private=("private", {}),
    writable=("public-read-write", {}),
    with_a_type=("public-read-write", {"Content-Type": "text/csv"}),
)
def form(side, acl, fields):
    side.put_bucket_acl(ACL=acl)
    url = f"{side.target.endpoint}/{side.bucket}"
    answer = requests.post(url, data={"key": "foo.txt", **fields}, files={"file": ("f", b"bar")}, timeout=30)
    side.note(status=answer.status_code)
    side.get_object(Key="foo.txt")


@cases(
    objects=(["s3:GetObject"], "/*", {}),
    some_objects=(["s3:GetObject"], "/public/*", {}),
    listings=(["s3:ListBucket"], "", {}),
    some_listings=(["s3:ListBucket"], "", {"Condition": {"StringEquals": {"s3:prefix": "public/"}}}),
    writes=(["s3:PutObject"], "/*", {}),
    some_writes=(["s3:PutObject"], "/public/*", {}),
    tags=(["s3:GetObjectTagging"], "/*", {}),
    versions=(["s3:GetObjectVersion"], "/*", {}),
)
def policy(side, actions, what, more):
    for key in ("public/a", "private/a"):
        side.put_object(Key=key, Body=b"bar", Tagging="a=b")
    _policy(side, _allow(side, actions, what, **more))
    for key in ("public/a", "private/a", "public/gone", "private/gone"):
        _anybody(side, "GET", key)
        _anybody(side, "HEAD", key)
        _anybody(side, "GET", key, query={"tagging": ""})
    _anybody(side, "GET")
    _anybody(side, "GET", query={"prefix": "public/", "list-type": "2"})
    _anybody(side, "PUT", "public/new", b"new")
    _anybody(side, "PUT", "private/new", b"new")
    side.list_objects_v2()


_REFERER = {"StringLike": {"aws:Referer": "https://page.example.com/*"}}


@cases(
    referer=(_REFERER, {"Referer": "https://page.example.com/ledger"}),
    other_referer=(_REFERER, {"Referer": "https://example.net/"}),
    no_referer=(_REFERER, {}),
    agent=({"StringLike": {"aws:UserAgent": "reader/*"}}, {"User-Agent": "reader/7"}),
    other_agent=({"StringLike": {"aws:UserAgent": "reader/*"}}, {"User-Agent": "writer/7"}),
    tag=({"StringEquals": {"s3:ExistingObjectTag/public": "yes"}}, {}),
    address=({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}),
    other_address=({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}),
)
def policy_under_a_condition(side, condition, headers):
    for key, tagging in (("a", "public=yes"), ("b", "public=no")):
        side.put_object(Key=key, Body=b"bar", Tagging=tagging)
    _policy(side, _allow(side, ["s3:GetObject"], Condition=condition))
    for key in ("a", "b"):
        _anybody(side, "GET", key, headers=headers)


@case
def policy_that_denies(side):
    side.put_object(Key="public/a", Body=b"bar", ACL="public-read")
    side.put_object(Key="public/b", Body=b"bar", ACL="public-read")
    _policy(side, _allow(side, ["s3:GetObject"]), _allow(side, ["s3:GetObject"], "/public/b", Effect="Deny"))
    _anybody(side, "GET", "public/a")
    _anybody(side, "GET", "public/b")


@case
def list_of_buckets(side):
    side.raw("GET", path="/", sign=False)
