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
