"""Conditional requests on the ETag and the date that a client knows."""

from cases import case, cases

_LONG_AGO = "Sat, 29 Oct 1994 19:43:31 GMT"
_LATER = "Tue, 29 Oct 2080 19:43:31 GMT"


@cases(
    match=({"If-Match": "{etag}"},),
    match_bare=({"If-Match": "{bare}"},),
    match_other=({"If-Match": '"ABCORZ"'},),
    match_any=({"If-Match": "*"},),
    none_match=({"If-None-Match": "{etag}"},),
    none_match_bare=({"If-None-Match": "{bare}"},),
    none_match_other=({"If-None-Match": "ABCORZ"},),
    none_match_any=({"If-None-Match": "*"},),
    modified_since_long_ago=({"If-Modified-Since": _LONG_AGO},),
    modified_since_later=({"If-Modified-Since": _LATER},),
    unmodified_since_long_ago=({"If-Unmodified-Since": _LONG_AGO},),
    unmodified_since_later=({"If-Unmodified-Since": _LATER},),
    match_and_unmodified=({"If-Match": "{etag}", "If-Unmodified-Since": _LONG_AGO},),
    none_match_and_modified=({"If-None-Match": "{etag}", "If-Modified-Since": _LONG_AGO},),
    no_date=({"If-Modified-Since": "yesterday"},),
    date_of_rfc_850=({"If-Unmodified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"},),
)
def of_a_read(side, headers):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    given = {name: value.format(etag=etag, bare=etag.strip('"')) for name, value in headers.items()}
    side.raw("GET", "foo", headers=given)
    side.raw("HEAD", "foo", headers=given)
    side.raw("GET", "never-there", headers=given)


@cases(
    match=({"If-Match": "{etag}"},),
    match_bare=({"If-Match": "{bare}"},),
    match_other=({"If-Match": '"ABCORZ"'},),
    match_any=({"If-Match": "*"},),
    none_match_any=({"If-None-Match": "*"},),
    none_match=({"If-None-Match": "{etag}"},),
    none_match_other=({"If-None-Match": '"ABCORZ"'},),
)
def of_a_write(side, headers):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    given = {name: value.format(etag=etag, bare=etag.strip('"')) for name, value in headers.items()}
    side.raw("PUT", "foo", b"soup", headers=given)
    side.get_object(Key="foo")
    side.raw("PUT", "never-there", b"soup", headers=given)
    side.head_object(Key="never-there")


@case
def of_the_last_write(side):
    side.put_object(Key="foo", Body=b"bar", IfNoneMatch="*")
    etag = side.put_object(Key="foo", Body=b"soup")["ETag"]
    side.put_object(Key="foo", Body=b"nuts", IfMatch=etag)
    side.put_object(Key="foo", Body=b"more", IfMatch=etag)
    side.get_object(Key="foo")


@case
def of_a_write_over_a_delete_marker(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    etag = side.put_object(Key="foo", Body=b"one")["ETag"]
    side.put_object(Key="foo", Body=b"two", IfNoneMatch="*")
    side.delete_object(Key="foo")
    side.put_object(Key="foo", Body=b"three", IfMatch=etag)
    side.put_object(Key="foo", Body=b"four", IfNoneMatch="*")
    side.put_object(Key="foo", Body=b"five", IfNoneMatch="*")
    side.get_object(Key="foo")


@case
def of_a_write_both_at_once(side):
    etag = side.put_object(Key="foo", Body=b"one")["ETag"]
    side.raw("PUT", "foo", b"two", headers={"If-Match": etag, "If-None-Match": "*"})
    side.get_object(Key="foo")


@case
def of_several_etags(side):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    for value in (f'"other", {etag}', '"other","more"', f"W/{etag}", 'W/"other"'):
        side.raw("GET", "foo", headers={"If-Match": value})
        side.raw("GET", "foo", headers={"If-None-Match": value})


@case
def of_its_own_date(side):
    side.put_object(Key="foo", Body=b"bar")
    date = side.wire.send("HEAD", f"/{side.bucket}/foo").headers["last-modified"]
    for name in ("If-Modified-Since", "If-Unmodified-Since"):
        side.raw("GET", "foo", headers={name: date})
        side.raw("HEAD", "foo", headers={name: date})


@case
def with_a_range(side):
    etag = side.put_object(Key="foo", Body=b"testcontent")["ETag"]
    side.raw("GET", "foo", headers={"Range": "bytes=4-7", "If-Match": etag})
    side.raw("GET", "foo", headers={"Range": "bytes=4-7", "If-Match": '"other"'})
    side.raw("GET", "foo", headers={"Range": "bytes=4-7", "If-None-Match": etag})
    side.raw("GET", "foo", headers={"Range": "bytes=40-70", "If-None-Match": etag})
