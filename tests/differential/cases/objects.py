"""One object: written, read, overwritten, removed."""

import base64
import hashlib
import re

from cases import case, cases
from common.wire import read_answer


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


@cases(none=(None,), empty=("",), unreadable=("\x07",), long=("a" * 3000,))
def user_agent(side, value):
    side.raw("PUT", "foo", b"bar", headers={} if value is None else {"User-Agent": value})
    side.raw("GET", "foo", headers={} if value is None else {"User-Agent": value})


@case
def without_a_body_or_a_length(side):
    side.answered("PUT", side.wire.raw(side.wire.head("PUT", f"/{side.bucket}/foo"), "PUT"))
    side.answered("PUT", side.wire.raw(side.wire.head("PUT", f"/{side.name()}"), "PUT"))
    side.put_object(Key="foo", Body=b"bar")
    head = side.wire.head("PUT", f"/{side.bucket}/foo", query={"acl": ""}, headers={"x-amz-acl": "private"})
    side.answered("PUT", side.wire.raw(head, "PUT"))


@cases(chunked=(["a"] * 3,), many=([f"{n:02}" for n in range(40)],))
def repeated_headers(side, values):
    lines = "".join(f"x-amz-meta-a: {value}\r\n" for value in values)
    joined = ",".join(values)
    head = side.wire.head("PUT", f"/{side.bucket}/foo", headers={"x-amz-meta-a": joined, "Content-Length": "3"}, payload="UNSIGNED-PAYLOAD")
    head = head.replace(f"x-amz-meta-a: {joined}\r\n".encode(), lines.encode())
    side.answered("PUT", side.wire.raw(head + b"bar", "PUT"))
    side.head_object(Key="foo")


@case
def head_of_a_bucket(side):
    side.raw("HEAD", "")
    side.raw("HEAD", path="/no-such-bucket-anywhere")
    side.raw("GET", "", query={"location": ""})


@case
def torrent_restore_select(side):
    side.put_object(Key="foo", Body=b"bar")
    side.raw("GET", "foo", query={"torrent": ""})


@case
def object_in_a_bucket_that_is_gone(side):
    side.put_object(Key="foo", Body=b"bar")
    side.delete_object(Key="foo")
    side.delete_bucket()
    for method in ("GET", "HEAD", "DELETE"):
        side.raw(method, "foo")
    side.raw("PUT", "foo", b"bar")
    side.list_objects_v2()


@cases(get=("GET", "never-there", {}), put=("PUT", "foo", {"Content-MD5": "AAAA"}), list=("GET", "", {}))
def errors_name_their_request(side, method, key, headers):
    path = f"/{side.bucket}/{key}" if key else "/no-such-bucket-anywhere"
    answer = side.wire.send(method, path, b"bar" if method == "PUT" else b"", headers=headers)
    found = re.search(rb"<RequestId>([^<]+)</RequestId>", answer.body)
    side.note(
        status=answer.status,
        code=answer.code,
        same=bool(found) and found.group(1).decode() == answer.headers["x-amz-request-id"],
        type=answer.headers["content-type"],
    )


@cases(broken=("%ae%8a-",), cut=("%e5%ad",), surrogate=("%ed%a0%80",), half=("a%4",), no_hex=("a%zz",))
def key_that_is_no_text(side, key):
    for method in ("GET", "PUT", "HEAD", "DELETE"):
        side.raw(method, path=f"/{side.bucket}/{key}")


@cases(
    infrequent=("STANDARD_IA",),
    one_zone=("ONEZONE_IA",),
    tiering=("INTELLIGENT_TIERING",),
    reduced=("REDUCED_REDUNDANCY",),
    at_once=("GLACIER_IR",),
)
def storage_class_of_a_kind(side, name):
    side.put_object(Key="foo", Body=b"bar", StorageClass=name)
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.list_objects_v2()
    side.list_object_versions()
    side.get_object_attributes(Key="foo", ObjectAttributes=["StorageClass"])
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"})
    side.head_object(Key="copy")
    upload = side.create_multipart_upload(Key="parts", StorageClass=name)
    if upload:
        side.list_parts(Key="parts", UploadId=upload["UploadId"])
        side.list_multipart_uploads()


@cases(glacier=("GLACIER",), deep=("DEEP_ARCHIVE",))
def archived(side, name):
    side.put_object(Key="foo", Body=b"bar", StorageClass=name)
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.copy_object(Key="copy", CopySource={"Bucket": side.bucket, "Key": "foo"})
    side.list_objects_v2()
    side.list_objects_v2(OptionalObjectAttributes=["RestoreStatus"])
    side.restore_object(Key="foo", RestoreRequest={"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}})
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.restore_object(Key="foo", RestoreRequest={"Days": 2})


@case
def restored_although_it_is_no_archive(side):
    side.put_object(Key="foo", Body=b"bar")
    side.restore_object(Key="foo", RestoreRequest={"Days": 1})
    side.restore_object(Key="never-there", RestoreRequest={"Days": 1})
    side.restore_object(Bucket="no-such-bucket-anywhere", Key="foo", RestoreRequest={"Days": 1})
    side.raw("POST", "foo", b"no xml", query={"restore": ""})


@cases(wrong=("111111111111",), empty=("",), letters=("nobody",))
def owner_that_is_expected(side, account):
    side.put_object(Key="foo", Body=b"bar")
    for method, key in (("GET", "foo"), ("HEAD", "foo"), ("GET", ""), ("DELETE", "foo")):
        side.raw(method, key, headers={"x-amz-expected-bucket-owner": account})
    side.raw("PUT", "foo", b"bar", headers={"x-amz-expected-bucket-owner": account})


@case
def requester_pays(side):
    side.put_object(Key="foo", Body=b"bar", RequestPayer="requester")
    side.get_object(Key="foo", RequestPayer="requester")
    side.list_objects_v2(RequestPayer="requester")
    side.put_bucket_request_payment(RequestPaymentConfiguration={"Payer": "Requester"})
    side.raw("GET", "foo", headers={"x-amz-request-payer": "requester"})
    side.raw("GET", "foo", headers={"x-amz-request-payer": "somebody"})


@cases(get=("GET",), head=("HEAD",), delete=("DELETE",))
def a_body_where_none_belongs(side, method):
    side.put_object(Key="foo", Body=b"bar")
    side.raw(method, "foo", b"what is this?")
    side.get_object(Key="foo")


@case
def written_in_one_breath(side):
    """Requests on one connection, each sent before the last one was answered."""
    heads = [side.wire.head("GET", f"/{side.bucket}/foo") for _ in range(3)]
    side.put_object(Key="foo", Body=b"bar")
    with side.wire.connect() as connection:
        for head in heads:
            connection.sendall(head)
            side.note(status=read_answer(connection).status)
