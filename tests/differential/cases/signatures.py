"""Signature version 4 in headers: what is signed, what is wrong with it, and dates of every kind."""

import dataclasses
import datetime

from cases import case, cases
from common.wire import UNSIGNED, Wire
from side import client


def _spoilt(side, key="foo", body=b"bar", method="PUT", **changes):
    """Signed first, changed afterwards; None takes a header away."""
    path = f"/{side.bucket}/{key}" if key else f"/{side.bucket}"
    headers = {"Host": side.target.authority, "Content-Length": str(len(body))}
    payload = changes.pop("payload", UNSIGNED)
    signed = side.wire.signer.sign(method, path, {}, headers, payload)
    for name, value in changes.items():
        name = name.replace("_", "-")
        signed = {k: v for k, v in signed.items() if k.lower() != name.lower()}
        if value is not None:
            signed[name] = value
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    request = f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
    side.answered(method, side.wire.raw(request, method))


@cases(
    empty=("",),
    none=(None,),
    nonsense=("hahaha",),
    v4_nonsense=("AWS4-HMAC-SHA256 Credential=HAHAHA",),
    v4_nothing=("AWS4-HMAC-SHA256",),
    v4_word=("AWS4 HAHAHA",),
    v2_nonsense=("AWS HAHAHA",),
    v2_unknown_key=("AWS AKIAIGR7ZNNBHC5BKSUB:FWeDfwojDSdS2Ztmpfeubhd9isU=",),
    unknown_key=(
        "AWS4-HMAC-SHA256 Credential=AKIAIGR7ZNNBHC5BKSUB/20150930/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;user-agent,Signature=FWeDfwojDSdS2Ztmpfeubhd9isU=",
    ),
    basic=("Basic YWJjOmRlZg==",),
    bearer=("Bearer abc",),
)
def authorization(side, value):
    _spoilt(side, Authorization=value)
    _spoilt(side, key="", method="GET", body=b"", Authorization=value)


@cases(
    bad=("Bad Date",),
    empty=("",),
    none=(None,),
    past=("20100707T215304Z",),
    future=("20800707T215304Z",),
    before_1970=("19500707T215304Z",),
    year_9999=("99990707T215304Z",),
    http=("Tue, 07 Jul 2010 21:53:04 GMT",),
)
def amz_date(side, value):
    _spoilt(side, x_amz_date=value)


@cases(
    bad=("Bad Date",),
    empty=("",),
    past=("Tue, 07 Jul 2010 21:53:04 GMT",),
    future=("Tue, 07 Jul 2080 21:53:04 GMT",),
)
def date_beside_it(side, value):
    _spoilt(side, Date=value)


@cases(hours_ago=(-3,), minutes_ago=(-0.1,), hours_ahead=(3,), a_day_ago=(-25,))
def signed_then(side, hours):
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    wire = Wire(side.target, dataclasses.replace(side.wire.signer, now=when))
    side.answered("PUT", wire.send("PUT", f"/{side.bucket}/foo", b"bar"))


@case
def wrong_secret(side):
    wire = Wire(side.target, dataclasses.replace(side.wire.signer, secret_access_key="wrong" * 8))
    side.answered("PUT", wire.send("PUT", f"/{side.bucket}/foo", b"bar"))
    side.answered("GET", wire.send("GET", f"/{side.bucket}"))


@case
def unknown_access_key(side):
    wire = Wire(side.target, dataclasses.replace(side.wire.signer, access_key_id="AKIANOBODYKNOWSIT"))
    side.answered("PUT", wire.send("PUT", f"/{side.bucket}/foo", b"bar"))


@case
def unsigned_header_added(side):
    _spoilt(side, x_amz_meta_added="later")
    _spoilt(side, x_amz_copy_source="/other/key")


@cases(other=("0" * 64,), nonsense=("hahaha",), empty=("",), none=(None,))
def content_sha256(side, value):
    _spoilt(side, x_amz_content_sha256=value)


@case
def content_sha256_of_another_body(side):
    side.raw("PUT", "foo", b"bar", payload="0" * 64)
    side.raw("PUT", "foo", b"bar", payload="not-a-hash")
    side.raw("PUT", "foo", b"bar", payload=UNSIGNED)
    side.head_object(Key="foo")


@cases(
    short=("YWJyYWNhZGFicmE=",),
    wrong=("rL0Y20xC+Fzt72VPzMSk2A==",),
    empty=("",),
    nonsense=("AWS4 HAHAHA",),
    right=("N7UdGUp1E+RbVvZSTy1R8g==",),
)
def content_md5(side, value):
    side.raw("PUT", "foo", b"bar", headers={"Content-MD5": value})


@cases(number=("200",), empty=("",), right=("100-continue",))
def expect(side, value):
    side.raw("PUT", "foo", b"bar", headers={"Expect": value})
    side.raw("PUT", path=f"/{side.name()}", headers={"Expect": value})


@cases(negative=("-1",), empty=("",), letters=("abc",), none=(None,), too_short=("2",))
def content_length(side, value):
    _spoilt(side, Content_Length=value)


@cases(another=("eu-somewhere-9",), empty=("",))
def region(side, name):
    wire = Wire(side.target, dataclasses.replace(side.wire.signer, region=name))
    side.answered("PUT", wire.send("PUT", f"/{side.bucket}/foo", b"bar"))


@cases(put=("put_object", {"Key": "foo", "Body": b"bar"}), get=("list_objects_v2", {}), new=("create_bucket", {}))
def version_2(side, operation, arguments):
    if operation == "create_bucket":
        arguments = {"Bucket": side.name()}
    side.call(operation, client=client(side.target, signature_version="s3"), **arguments)
    side.head_object(Key="foo")


@cases(
    bad=("Bad Date",),
    empty=("",),
    past=("Tue, 07 Jul 2010 21:53:04 GMT",),
    future=("Tue, 07 Jul 2080 21:53:04 GMT",),
    before_1970=("Tue, 07 Jul 1950 21:53:04 GMT",),
)
def version_2_amz_date(side, value):
    # One of its own: it is changed.
    dated = side.target.s3(signature_version="s3", retries={"max_attempts": 0})
    dated.meta.events.register(
        "before-call.s3.PutObject", lambda params, **_: params["headers"].update({"x-amz-date": value})
    )
    side.call("put_object", client=dated, Key="foo", Body=b"bar")
