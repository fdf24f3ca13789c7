"""What is attached to an object: user metadata, content headers, their oddities, and their overrides on reads."""

from cases import case, cases


@cases(
    plain=("mymeta",),
    empty=("",),
    spaces=("  two  spaces  ",),
    latin_1=("Hello World\xe9",),
    utf_8=("Hello 字 World",),
    encoded=("=?UTF-8?Q?=04mymeta?=",),
    comma=("a, b;c=d",),
)
def user_value(side, value):
    side.raw("PUT", "foo", b"bar", headers={"x-amz-meta-meta1": value})
    side.raw("HEAD", "foo")
    side.raw("GET", "foo")


@case
def replaced(side):
    side.put_object(Key="foo", Body=b"bar", Metadata={"meta1": "old", "meta2": "too"})
    side.head_object(Key="foo")
    side.put_object(Key="foo", Body=b"bar", Metadata={"meta1": "new"})
    side.head_object(Key="foo")
    side.put_object(Key="foo", Body=b"bar")
    side.head_object(Key="foo")


@case
def names(side):
    side.raw("PUT", "foo", b"bar", headers={"X-Amz-Meta-UPPER": "1", "x-amz-meta-a_b": "2", "x-amz-meta-a.b": "3"})
    side.head_object(Key="foo")


@cases(at_the_limit=(2048,), beyond=(2049,), far_beyond=(5000,))
def size(side, total):
    side.put_object(Key="foo", Body=b"bar", Metadata={"k": "v" * (total - 1)})
    side.head_object(Key="foo")


@case
def many_names(side):
    side.put_object(Key="foo", Body=b"bar", Metadata={f"name-{index}": str(index) for index in range(60)})
    side.head_object(Key="foo")


@cases(
    cache_control=({"Cache-Control": "public, max-age=14400"},),
    expires=({"Expires": "Thu, 01 Dec 2033 16:00:00 GMT"},),
    expires_0=({"Expires": "0"},),
    expires_nonsense=({"Expires": "some day"},),
    expires_iso=({"Expires": "2033-12-01T16:00:00Z"},),
    content_type=({"Content-Type": "text/plain; charset=utf-8"},),
    content_type_empty=({"Content-Type": ""},),
    content_type_odd=({"Content-Type": "no type at all"},),
    disposition=({"Content-Disposition": 'attachment; filename="a b.txt"'},),
    language=({"Content-Language": "de, en"},),
    encoding=({"Content-Encoding": "gzip"},),
    redirect=({"x-amz-website-redirect-location": "/elsewhere"},),
)
def content_header(side, headers):
    side.raw("PUT", "foo", b"bar", headers=headers)
    side.raw("GET", "foo")
    side.raw("HEAD", "foo")


@case
def overrides(side):
    side.put_object(Key="foo", Body=b"bar", ContentType="text/plain")
    query = {
        "response-content-type": "foo/bar",
        "response-content-disposition": "bla",
        "response-content-language": "esperanto",
        "response-content-encoding": "aaa",
        "response-expires": "123",
        "response-cache-control": "no-cache",
    }
    side.raw("GET", "foo", query=query)
    side.raw("HEAD", "foo", query=query)
    side.raw("GET", "foo", query={"response-expires": "Thu, 01 Dec 2033 16:00:00 GMT"})
    # A Sunday.
    side.raw("GET", "foo", query={"response-expires": "Thu, 01 Dec 2024 16:00:00 GMT"})
    side.raw("GET", "foo", query={"response-content-type": ""})
    side.raw("GET", "foo", query={"response-content-type": "foo/bar"}, headers={"Range": "bytes=0-1"})


@case
def name_without_anything(side):
    side.raw("PUT", "foo", b"bar", headers={"x-amz-meta-": "1"})
    side.raw("PUT", "goo", b"bar", headers={"x-amz-meta-a": "1", "x-amz-metadata-directive": "REPLACE"})
    side.head_object(Key="goo")


@case
def of_a_read_and_its_range(side):
    side.put_object(Key="foo", Body=b"bar", Metadata={"a": "1"}, CacheControl="no-cache", ContentEncoding="gzip")
    side.raw("GET", "foo", headers={"Range": "bytes=0-1"})
    side.raw("GET", "foo", headers={"Accept-Encoding": "gzip, deflate"})
    side.raw("GET", "foo", headers={"If-None-Match": "*"})
