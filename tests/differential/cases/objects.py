"""One object: written, read, overwritten, removed."""

import base64
import hashlib

from cases import case, cases


@case
def life(side):
    side.put_object(Key="foo", Body=b"bar")
    side.get_object(Key="foo")
    side.head_object(Key="foo")
    side.put_object(Key="foo", Body=b"soup", ContentType="text/plain")
    side.get_object(Key="foo")
    side.delete_object(Key="foo")
    side.delete_object(Key="foo")
    side.get_object(Key="foo")
    side.head_object(Key="foo")


@case
def empty(side):
    side.put_object(Key="foo", Body=b"")
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.get_object(Key="foo", Range="bytes=0-")
    side.get_object(Key="foo", Range="bytes=-1")
    side.get_object(Key="foo", PartNumber=1)


@case
def megabytes(side):
    body = b"seven77" * 700_000
    side.put_object(Key="foo", Body=body)
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.note(md5=hashlib.md5(body, usedforsecurity=False).hexdigest())


@case
def headers_of_answers(side):
    side.raw("PUT", "foo", b"bar", headers={"Content-Type": "text/plain", "x-amz-meta-a": "b"})
    side.raw("GET", "foo")
    side.raw("HEAD", "foo")
    side.raw("DELETE", "foo")
    side.raw("GET", "foo")


@cases(
    get=("GET", "foo"),
    head=("HEAD", "foo"),
    delete=("DELETE", "foo"),
    post=("POST", "foo"),
    patch=("PATCH", "foo"),
    list=("GET", ""),
    post_bucket=("POST", ""),
    patch_bucket=("PATCH", ""),
)
def nothing_there(side, method, key):
    side.raw(method, key)


@case
def storage_class(side):
    side.put_object(Key="foo", Body=b"bar", StorageClass="STANDARD")
    side.head_object(Key="foo")
    side.put_object(Key="foo", Body=b"bar", StorageClass="NO_SUCH_CLASS")


@case
def many_removed(side):
    for key in ("a", "b", "_c_", "d e"):
        side.put_object(Key=key, Body=b"x")
    named = [{"Key": key} for key in ("a", "b", "_c_", "d e", "never-there")]
    answer = side.s3.delete_objects(Bucket=side.bucket, Delete={"Objects": named})
    side.note(deleted=sorted(one["Key"] for one in answer["Deleted"]), errors=answer.get("Errors", []))
    side.list_objects_v2()
    side.put_object(Key="a", Body=b"x")
    side.delete_objects(Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    side.delete_objects(Delete={"Objects": []})


@case
def many_removed_is_bad_xml(side):
    for body in (b"", b"<Delete>", b"<Delete></Delete>", b"<Other/>", b"no xml at all"):
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        headers = {"Content-MD5": base64.b64encode(digest).decode()}
        side.raw("POST", body=body, query={"delete": ""}, headers=headers)


@case
def too_many_removed(side):
    side.delete_objects(Delete={"Objects": [{"Key": f"k{index}"} for index in range(1001)]})
