"""Requests that ask for encryption themselves."""

import base64
import hashlib

from cases import case, cases

_KEY = b"k" * 32


def _customer(key=_KEY, **changes):
    told = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
        "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(
            hashlib.md5(key, usedforsecurity=False).digest()
        ).decode(),
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


@case
def aes256(side):
    side.put_object(Key="foo", Body=b"bar", ServerSideEncryption="AES256")
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.create_multipart_upload(Key="goo", ServerSideEncryption="AES256")


@cases(empty=("",), unknown=("aes:kms",), other=("AES512",))
def of_no_kind(side, name):
    side.raw("PUT", "foo", b"bar", headers={"x-amz-server-side-encryption": name})
    side.head_object(Key="foo")


@case
def asked_for_on_reads(side):
    side.put_object(Key="foo", Body=b"bar")
    side.raw("GET", "foo", headers={"x-amz-server-side-encryption": "AES256"})
    side.raw("HEAD", "foo", headers={"x-amz-server-side-encryption": "AES256"})


@case
def keys_of_the_customer(side):
    side.raw("PUT", "foo", b"bar", headers=_customer())
    side.put_object(Key="goo", Body=b"bar")
    side.raw("GET", "goo", headers=_customer())
    side.raw("HEAD", "goo", headers=_customer())


@case
def key_of_a_kms(side):
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "key-1"}
    side.raw("PUT", "foo", b"bar", headers=headers)
    side.raw("PUT", "foo", b"bar", headers={"x-amz-server-side-encryption": "aws:kms"})


@cases(one=(1,), thirteen=(13,), kilobyte=(1024,), megabyte=(1 << 20,))
def with_a_key_of_the_customer(side, size):
    body = bytes(index % 251 for index in range(size))
    side.raw("PUT", "foo", body, headers=_customer())
    side.raw("GET", "foo", headers=_customer())
    side.raw("HEAD", "foo", headers=_customer())
    side.raw("HEAD", "foo")
    side.raw("GET", "foo")
    side.raw("GET", "foo", headers=_customer(b"o" * 32))
    side.raw("GET", "foo", headers={**_customer(), "Range": "bytes=0-3"})


@cases(
    algorithm_alone=({"key": None, "key-MD5": None},),
    no_md5=({"key-MD5": None},),
    no_key=({"key": None},),
    key_alone=({"algorithm": None, "key-MD5": None},),
    no_algorithm=({"algorithm": None},),
    other_md5=({"key-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="},),
    other_algorithm=({"algorithm": "AES128"},),
    short_key=({"key": "AAAA"},),
)
def with_a_key_and_something_wrong(side, changes):
    prefix = "x-amz-server-side-encryption-customer-"
    headers = _customer(**{prefix + name: value for name, value in changes.items()})
    side.raw("PUT", "foo", b"bar", headers=headers)
    side.head_object(Key="foo")


@case
def with_a_key_and_another_encryption(side):
    for other in ("AES256", "aws:kms"):
        side.raw("PUT", "foo", b"bar", headers={**_customer(), "x-amz-server-side-encryption": other})
    side.raw("PUT", "foo", b"bar", headers={"x-amz-server-side-encryption-aws-kms-key-id": "key-1"})
    side.head_object(Key="foo")


@case
def of_parts(side):
    upload = side.create_multipart_upload(Key="foo", ServerSideEncryption="AES256")["UploadId"]
    part = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"bar")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload=parts)
    side.head_object(Key="foo")
