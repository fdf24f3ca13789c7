"""CopyObject: within a bucket and across, what goes along and what is replaced, and sources that are none."""

import urllib.parse

from cases import case, cases

_LONG_AGO = "Sat, 29 Oct 1994 19:43:31 GMT"
_LATER = "Tue, 29 Oct 2080 19:43:31 GMT"


def _original(side, key="foo", **more):
    given = {"Body": b"bar", "ContentType": "text/plain", "Metadata": {"a": "1", "b": "2"}, **more}
    return side.put_object(Key=key, **given)


def _source(side, key="foo", **more):
    return {"Bucket": side.bucket, "Key": key, **more}


@cases(empty=(b"",), small=(b"bar",), megabytes=(b"seven77" * 900_000,))
def of_a_size(side, body):
    _original(side, Body=body)
    side.copy_object(Key="copy", CopySource=_source(side))
    side.get_object(Key="copy")
    side.head_object(Key="copy")
    side.list_objects_v2()


@case
def to_another_bucket(side):
    _original(side)
    other = side.new_bucket()
    side.copy_object(Bucket=other, Key="foo", CopySource=_source(side))
    side.get_object(Bucket=other, Key="foo")
    side.list_objects_v2(Bucket=other)


@case
def onto_itself(side):
    _original(side)
    side.copy_object(Key="foo", CopySource=_source(side))
    side.copy_object(Key="foo", CopySource=_source(side), MetadataDirective="COPY")
    side.copy_object(Key="foo", CopySource=_source(side), MetadataDirective="REPLACE", Metadata={"c": "3"})
    side.head_object(Key="foo")
    side.copy_object(Key="foo", CopySource=_source(side), StorageClass="STANDARD")
    side.get_object(Key="foo")


@cases(
    kept=({"MetadataDirective": "COPY"},),
    kept_although_more_is_said=({"MetadataDirective": "COPY", "Metadata": {"c": "3"}, "ContentType": "image/png"},),
    replaced=({"MetadataDirective": "REPLACE", "Metadata": {"c": "3"}, "ContentType": "image/png"},),
    replaced_by_nothing=({"MetadataDirective": "REPLACE"},),
    headers_replaced=({"MetadataDirective": "REPLACE", "CacheControl": "no-cache", "ContentDisposition": "inline"},),
    with_a_redirect=({"WebsiteRedirectLocation": "/there"},),
    with_a_class=({"StorageClass": "STANDARD"},),
    with_a_class_that_is_none=({"StorageClass": "NO_SUCH_CLASS"},),
    with_a_checksum=({"ChecksumAlgorithm": "SHA256"},),
)
def metadata(side, arguments):
    _original(side, CacheControl="public", ContentLanguage="de")
    side.copy_object(Key="copy", CopySource=_source(side), **arguments)
    side.head_object(Key="copy")


@case
def metadata_directive_that_is_none(side):
    _original(side)
    headers = {"x-amz-copy-source": f"/{side.bucket}/foo", "x-amz-metadata-directive": "SWAP"}
    side.raw("PUT", "copy", headers=headers)
    side.head_object(Key="copy")


@cases(
    kept=({},),
    kept_as_said=({"TaggingDirective": "COPY"},),
    replaced=({"TaggingDirective": "REPLACE", "Tagging": "x=y&z=%20"},),
    replaced_by_nothing=({"TaggingDirective": "REPLACE"},),
)
def tags(side, arguments):
    _original(side, Tagging="a=b&c=d")
    side.copy_object(Key="copy", CopySource=_source(side), **arguments)
    side.get_object_tagging(Key="copy")
    side.get_object_tagging(Key="foo")


@cases(
    match=({"CopySourceIfMatch": "{etag}"},),
    match_bare=({"CopySourceIfMatch": "{bare}"},),
    match_other=({"CopySourceIfMatch": '"ABCORZ"'},),
    none_match=({"CopySourceIfNoneMatch": "{etag}"},),
    none_match_other=({"CopySourceIfNoneMatch": '"ABCORZ"'},),
    modified=({"CopySourceIfModifiedSince": _LONG_AGO},),
    not_modified=({"CopySourceIfModifiedSince": _LATER},),
    unmodified=({"CopySourceIfUnmodifiedSince": _LATER},),
    not_unmodified=({"CopySourceIfUnmodifiedSince": _LONG_AGO},),
    match_and_not_unmodified=({"CopySourceIfMatch": "{etag}", "CopySourceIfUnmodifiedSince": _LONG_AGO},),
    none_match_and_modified=({"CopySourceIfNoneMatch": "{etag}", "CopySourceIfModifiedSince": _LONG_AGO},),
)
def under_a_condition(side, conditions):
    etag = _original(side)["ETag"]
    given = {name: value.format(etag=etag, bare=etag.strip('"')) for name, value in conditions.items()}
    side.copy_object(Key="copy", CopySource=_source(side), **given)
    side.head_object(Key="copy")


@case
def of_what_is_not_there(side):
    _original(side)
    side.copy_object(Key="copy", CopySource=_source(side, "never-there"))
    side.copy_object(Key="copy", CopySource={"Bucket": "no-such-bucket-anywhere", "Key": "foo"})
    side.copy_object(Bucket="no-such-bucket-anywhere", Key="copy", CopySource=_source(side))
    side.copy_object(Key="copy", CopySource=_source(side, VersionId="no-such-version"))
    side.head_object(Key="copy")


@cases(
    nothing=("",),
    a_word=("foo",),
    a_bucket=("/{bucket}",),
    a_bucket_and_a_slash=("/{bucket}/",),
    two_slashes=("//{bucket}/foo",),
    without_a_slash=("{bucket}/foo",),
    escaped=("%2F{bucket}%2Ffoo",),
    a_broken_escape=("/{bucket}/%zz",),
    with_a_parameter=("/{bucket}/foo?acl",),
    an_empty_version=("/{bucket}/foo?versionId=",),
)
def source(side, text):
    _original(side)
    side.raw("PUT", "copy", headers={"x-amz-copy-source": text.format(bucket=side.bucket)})
    side.head_object(Key="copy")


@cases(
    utf_8=("字/ключ",),
    space=("a b",),
    plus=("a+b",),
    percent=("a%41b",),
    question=("a?b",),
    question_version=("a?versionId=b",),
    ampersand=("a&b=c",),
    double_slash=("a//b",),
    leading_slash=("/a",),
    trailing_slash=("a/",),
    underscore=("_a",),
    long=("k" * 1024,),
)
def of_a_name(side, name):
    _original(side, key=name)
    side.copy_object(Key=f"{name}"[:1020] + "~", CopySource=_source(side, name))
    side.get_object(Key=f"{name}"[:1020] + "~")
    side.raw("PUT", "raw", headers={"x-amz-copy-source": urllib.parse.quote(f"{side.bucket}/{name}")})
    side.get_object(Key="raw")


@case
def of_an_object_in_parts(side):
    upload = side.create_multipart_upload(Key="foo", Metadata={"a": "1"})["UploadId"]
    part = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"a" * (5 << 20))
    last = side.upload_part(Key="foo", UploadId=upload, PartNumber=2, Body=b"b")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}, {"PartNumber": 2, "ETag": last["ETag"]}]
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload={"Parts": parts})
    side.copy_object(Key="copy", CopySource=_source(side))
    side.get_object(Key="copy")
    side.head_object(Key="foo")


@case
def of_a_version(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    first = _original(side, Body=b"first")["VersionId"]
    _original(side, Body=b"second")
    side.copy_object(Key="copy", CopySource=_source(side, VersionId=first))
    side.get_object(Key="copy")
    side.copy_object(Key="foo", CopySource=_source(side, VersionId=first))
    side.get_object(Key="foo")
    side.delete_object(Key="foo")
    side.copy_object(Key="gone", CopySource=_source(side))
    other = side.new_bucket()
    side.copy_object(Bucket=other, Key="x", CopySource=_source(side, VersionId=first))
    side.get_object(Bucket=other, Key="x")


@case
def acl_is_not_copied(side):
    _original(side, ACL="public-read")
    side.copy_object(Key="copy", CopySource=_source(side))
    side.get_object_acl(Key="copy")
    side.copy_object(Key="shared", CopySource=_source(side), ACL="public-read")
    side.get_object_acl(Key="shared")


@case
def with_an_encryption_asked_for(side):
    _original(side)
    side.copy_object(Key="copy", CopySource=_source(side), ServerSideEncryption="AES256")
    side.head_object(Key="copy")


@case
def keeps_and_changes_the_class(side):
    _original(side, StorageClass="STANDARD_IA")
    side.copy_object(Key="copy", CopySource=_source(side))
    side.head_object(Key="copy")
    side.copy_object(Key="copy", CopySource=_source(side), StorageClass="STANDARD_IA")
    side.head_object(Key="copy")
    side.copy_object(Key="foo", CopySource=_source(side), StorageClass="ONEZONE_IA")
    side.head_object(Key="foo")


@cases(
    match=({"IfMatch": "{etag}"},),
    match_other=({"IfMatch": '"ABCORZ"'},),
    none_match_any=({"IfNoneMatch": "*"},),
)
def onto_something_under_a_condition(side, conditions):
    etag = _original(side)["ETag"]
    side.put_object(Key="copy", Body=b"bar")
    given = {name: value.format(etag=etag) for name, value in conditions.items()}
    side.copy_object(Key="copy", CopySource=_source(side), **given)
    side.copy_object(Key="never-there", CopySource=_source(side), **given)
    side.head_object(Key="copy")
    side.head_object(Key="never-there")


@case
def with_a_body(side):
    _original(side)
    side.raw("PUT", "copy", b"what is this?", headers={"x-amz-copy-source": f"/{side.bucket}/foo"})
    side.get_object(Key="copy")


@cases(retained=({},), replaced=({"MetadataDirective": "REPLACE", "Metadata": {"c": "3"}, "ContentType": "audio/mpeg"},))
def of_a_megabyte_with_metadata(side, arguments):
    _original(side, Body=bytes(1 << 20), ContentType="audio/ogg")
    side.copy_object(Key="copy", CopySource=_source(side), **arguments)
    side.get_object(Key="copy")
