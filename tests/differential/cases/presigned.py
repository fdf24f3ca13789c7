"""Presigned URLs of every verb."""

import re
import time
import urllib.parse

import requests
from cases import case, cases
from common.wire import UNSIGNED, Answer
from side import client


def ask(side, method, url, name=None, **options):
    """Asks as a browser does; headers that `requests` would add are left out."""
    options["headers"] = {"Accept-Encoding": None, "User-Agent": None, "Accept": None, **options.get("headers", {})}
    answer = requests.request(method, url, timeout=30, allow_redirects=False, **options)
    return side.answered(name or method, Answer(answer.status_code, answer.headers, answer.content))


def _url(side, operation, expires=3600, version="s3v4", **arguments):
    arguments.setdefault("Bucket", side.bucket)
    return client(side.target, signature_version=version).generate_presigned_url(operation, Params=arguments, ExpiresIn=expires)


@cases(v4=("s3v4",), v2=("s3",))
def every_verb(side, version):
    ask(side, "PUT", _url(side, "put_object", version=version, Key="a b+c/ü"), data=b"bar")
    ask(side, "GET", _url(side, "get_object", version=version, Key="a b+c/ü"))
    ask(side, "HEAD", _url(side, "head_object", version=version, Key="a b+c/ü"))
    ask(side, "GET", _url(side, "list_objects_v2", version=version, Prefix="a b"))
    ask(side, "HEAD", _url(side, "head_bucket", version=version))
    ask(side, "DELETE", _url(side, "delete_object", version=version, Key="a b+c/ü"))
    ask(side, "GET", _url(side, "get_object", version=version, Key="a b+c/ü"))


def _signed_for(side, seconds):
    """Made by hand: botocore signs for no less than a second."""
    signer, path = side.wire.signer, f"/{side.bucket}/foo"
    date = signer.time()
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{signer.access_key_id}/{signer.scope(date)}",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    pairs = urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="-_.~")
    lines = ["GET", path, pairs, f"host:{side.target.authority}\n", "host", UNSIGNED]
    signature = signer.signature(date, "\n".join(lines))
    return f"{side.target.endpoint}{path}?{pairs}&X-Amz-Signature={signature}"


@cases(a_minute=(60,), zero=(0,), a_week=(604800,), more=(604801,), negative=(-7,))
def expires(side, seconds):
    side.put_object(Key="foo", Body=b"bar")
    url = re.sub(r"X-Amz-Expires=-?\d+", f"X-Amz-Expires={seconds}", _url(side, "get_object", Key="foo"))
    ask(side, "GET", url)
    url = _signed_for(side, seconds)
    if seconds == 0:
        # It was good for the second in which it was signed.
        time.sleep(1.1)
    ask(side, "GET", url)


@case
def expired(side):
    side.put_object(Key="foo", Body=b"bar")
    ask(side, "GET", _url(side, "get_object", expires=-1000, version="s3", Key="foo"))


@case
def of_another_verb_or_key(side):
    side.put_object(Key="foo", Body=b"bar")
    url = _url(side, "get_object", Key="foo")
    ask(side, "PUT", url, data=b"planted")
    ask(side, "DELETE", url)
    ask(side, "GET", url.replace("/foo?", "/fob?"))
    ask(side, "HEAD", url)


@case
def with_headers_added(side):
    side.put_object(Key="foo", Body=b"bar")
    url = _url(side, "put_object", Key="goo")
    ask(side, "PUT", url, data=b"bar", headers={"x-amz-copy-source": f"/{side.bucket}/foo"})
    ask(side, "PUT", url, data=b"bar", headers={"x-amz-meta-planted": "1"})
    ask(side, "PUT", url, data=b"bar", headers={"Content-Type": "text/html"})
    ask(side, "GET", _url(side, "get_object", Key="foo"), headers={"Range": "bytes=1-"})


@case
def with_parameters_changed(side):
    side.put_object(Key="foo", Body=b"bar")
    url = _url(side, "get_object", Key="foo")
    ask(side, "GET", url + "&response-content-type=text/html")
    ask(side, "GET", re.sub("&X-Amz-Expires=[0-9]+", "", url))
    ask(side, "GET", re.sub("&X-Amz-Signature=[0-9a-f]+", "", url))
    ask(side, "GET", re.sub("X-Amz-Signature=[0-9a-f]+", "X-Amz-Signature=" + "0" * 64, url))
    ask(side, "GET", re.sub("X-Amz-Date=[0-9TZ]+", "X-Amz-Date=yesterday", url))
    ask(side, "GET", re.sub("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", url))
    ask(side, "GET", url + "&acl")


@case
def with_overrides_signed(side):
    side.put_object(Key="foo", Body=b"bar")
    url = _url(
        side,
        "get_object",
        Key="foo",
        ResponseContentDisposition='attachment; filename="ü.txt"',
        ResponseContentType="text/html",
    )
    ask(side, "GET", url)


@case
def with_metadata_signed(side):
    url = _url(side, "put_object", Key="foo", Metadata={"a": "b"}, ContentType="text/plain")
    ask(side, "PUT", url, data=b"bar", headers={"x-amz-meta-a": "b", "Content-Type": "text/plain"})
    ask(side, "PUT", url, data=b"bar", headers={"x-amz-meta-a": "c", "Content-Type": "text/plain"})
    ask(side, "PUT", url, data=b"bar")
    side.head_object(Key="foo")


@case
def and_an_authorization_header(side):
    side.put_object(Key="foo", Body=b"bar")
    ask(side, "GET", _url(side, "get_object", Key="foo"), headers={"Authorization": "Bearer abc"})


@case
def tokens(side):
    side.put_object(Key="foo", Body=b"bar")
    url = _url(side, "get_object", Key="foo")
    ask(side, "GET", url + "&X-Amz-Security-Token=" + urllib.parse.quote("abc"))


@cases(v4=("s3v4",), v2=("s3",))
def parts(side, version):
    upload = side.create_multipart_upload(Key="foo")["UploadId"]
    url = _url(side, "upload_part", version=version, Key="foo", UploadId=upload, PartNumber=1)
    etag = ask(side, "PUT", url, data=b"bar").headers["ETag"]
    ask(side, "GET", _url(side, "list_parts", version=version, Key="foo", UploadId=upload))
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload=parts)
    side.get_object(Key="foo")


@case
def with_everything_overridden(side):
    side.put_object(Key="foo", Body=b"bar", CacheControl="public")
    url = _url(
        side,
        "get_object",
        Key="foo",
        ResponseCacheControl="no-cache",
        ResponseContentDisposition="bla",
        ResponseContentEncoding="aaa",
        ResponseContentLanguage="esperanto",
        ResponseContentType="foo/bar",
    )
    ask(side, "GET", url)
    ask(side, "GET", url + "&response-expires=123")


@cases(letters=("abc",), empty=("",), fraction=("1.5",), huge=("9" * 30,))
def expires_that_is_no_number(side, text):
    side.put_object(Key="foo", Body=b"bar")
    ask(side, "GET", re.sub("X-Amz-Expires=[0-9]+", f"X-Amz-Expires={text}", _url(side, "get_object", Key="foo")))
    ask(side, "GET", re.sub("Expires=[0-9]+", f"Expires={text}", _url(side, "get_object", version="s3", Key="foo")))


@case
def of_nothing(side):
    ask(side, "GET", _url(side, "get_object", Key="never-there"))
    ask(side, "GET", _url(side, "get_object", Bucket="no-such-bucket-anywhere", Key="foo"))


@cases(v4=("s3v4",), v2=("s3",))
def with_tags_and_a_checksum(side, version):
    url = _url(side, "put_object", version=version, Key="foo", Tagging="a=b", ACL="public-read")
    ask(side, "PUT", url, data=b"bar", headers={"x-amz-tagging": "a=b", "x-amz-acl": "public-read"})
    side.get_object_tagging(Key="foo")
    side.get_object_acl(Key="foo")
