"""Versions: enabled, suspended, named, listed, removed."""

import concurrent.futures

from cases import case, cases


def _set(side, status):
    side.put_bucket_versioning(VersioningConfiguration={"Status": status})


def _put(side, body, key="foo"):
    return side.put_object(Key=key, Body=body)["VersionId"]


@case
def states(side):
    side.get_bucket_versioning()
    for status in ("Enabled", "Suspended", "Enabled", "Suspended"):
        _set(side, status)
        side.get_bucket_versioning()
    side.put_bucket_versioning(VersioningConfiguration={"Status": "enabled"})
    side.raw("PUT", body=b"<VersioningConfiguration/>", query={"versioning": ""})
    side.raw("PUT", body=b"no xml", query={"versioning": ""})


@case
def read_and_removed_by_id(side):
    _set(side, "Enabled")
    ids = [_put(side, body) for body in (b"one", b"two", b"three")]
    for one in ids:
        side.get_object(Key="foo", VersionId=one)
        side.head_object(Key="foo", VersionId=one)
    side.get_object(Key="foo")
    for one in reversed(ids):
        side.delete_object(Key="foo", VersionId=one)
        side.get_object(Key="foo")
        side.list_object_versions()
    side.delete_object(Key="foo", VersionId=ids[0])


@case
def delete_markers(side):
    _set(side, "Enabled")
    _put(side, b"one")
    marker = side.delete_object(Key="foo")
    side.get_object(Key="foo")
    side.head_object(Key="foo")
    side.raw("GET", "foo")
    side.get_object(Key="foo", VersionId=marker["VersionId"])
    side.head_object(Key="foo", VersionId=marker["VersionId"])
    side.list_object_versions()
    side.delete_object(Key="foo")
    side.list_object_versions()
    side.delete_object(Key="foo", VersionId=marker["VersionId"])
    side.list_object_versions()
    side.delete_object(Key="never-there")
    side.list_object_versions()


@case
def null_version_of_before(side):
    side.put_object(Key="foo", Body=b"before")
    _set(side, "Enabled")
    side.list_object_versions()
    side.get_object(Key="foo", VersionId="null")
    _put(side, b"after")
    side.get_object(Key="foo", VersionId="null")
    side.get_object(Key="foo")
    side.delete_object(Key="foo", VersionId="null")
    side.list_object_versions()
    side.get_object(Key="foo", VersionId="null")


@case
def suspended(side):
    _set(side, "Enabled")
    _put(side, b"one")
    _set(side, "Suspended")
    side.put_object(Key="foo", Body=b"null one")
    side.list_object_versions()
    side.put_object(Key="foo", Body=b"null two")
    side.get_object(Key="foo", VersionId="null")
    side.list_object_versions()
    side.delete_object(Key="foo")
    side.list_object_versions()
    side.get_object(Key="foo")
    side.delete_object(Key="foo", VersionId="null")
    side.list_object_versions()
    side.get_object(Key="foo")
    _set(side, "Enabled")
    _put(side, b"again")
    side.list_object_versions()


@case
def suspended_copies_and_parts(side):
    _set(side, "Enabled")
    _put(side, b"one")
    _set(side, "Suspended")
    side.copy_object(Key="foo", CopySource={"Bucket": side.bucket, "Key": "foo"}, MetadataDirective="REPLACE")
    side.list_object_versions()
    upload = side.create_multipart_upload(Key="foo")["UploadId"]
    part = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"parts")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload=parts)
    side.list_object_versions()
    side.get_object(Key="foo")


@cases(nonsense=("no-such-version",), null=("null",), empty=("",), of_that_form=("A" * 32,))
def unknown_id(side, version):
    _set(side, "Enabled")
    _put(side, b"one")
    for method in ("GET", "HEAD", "DELETE"):
        side.raw(method, "foo", query={"versionId": version})
    side.raw("GET", "foo", query={"versionId": version, "tagging": ""})
    side.raw("GET", "foo", query={"versionId": version, "acl": ""})
    side.list_object_versions()


@case
def ids_in_a_bucket_without_versions(side):
    side.put_object(Key="foo", Body=b"bar")
    side.get_object(Key="foo", VersionId="null")
    side.list_object_versions()
    side.delete_object(Key="foo", VersionId="null")
    side.head_object(Key="foo")


@case
def many_removed(side):
    _set(side, "Enabled")
    ids = [_put(side, body, key) for key, body in (("a", b"1"), ("a", b"2"), ("b", b"3"))]
    named = [{"Key": "a", "VersionId": ids[0]}, {"Key": "a", "VersionId": ids[1]}]
    side.delete_objects(Delete={"Objects": named})
    side.delete_objects(Delete={"Objects": [{"Key": "b"}]})
    page = side.list_object_versions()
    markers = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in page.get("DeleteMarkers", [])]
    side.delete_objects(Delete={"Objects": markers})
    side.list_object_versions()
    side.delete_objects(Delete={"Objects": [{"Key": "b", "VersionId": "no-such-version"}]})


@case
def acl_and_tags_of_versions(side):
    _set(side, "Enabled")
    first, second = _put(side, b"one"), _put(side, b"two")
    side.put_object_acl(Key="foo", VersionId=first, ACL="public-read")
    side.get_object_acl(Key="foo", VersionId=first)
    side.get_object_acl(Key="foo")
    side.put_object_tagging(Key="foo", VersionId=first, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    side.get_object_tagging(Key="foo", VersionId=first)
    side.get_object_tagging(Key="foo", VersionId=second)
    side.delete_object_tagging(Key="foo", VersionId=first)
    side.get_object_tagging(Key="foo", VersionId=first)
    side.get_object(Key="foo", VersionId=first)


@cases(
    one=({"MaxKeys": 1},),
    prefix=({"Prefix": "b"},),
    delimiter=({"Delimiter": "/"},),
    delimiter_under=({"Delimiter": "/", "Prefix": "c/"},),
    marker=({"KeyMarker": "a"},),
    encoded=({"EncodingType": "url"},),
    nothing=({"Prefix": "zzz"},),
    none=({"MaxKeys": 0},),
)
def listed(side, arguments):
    _set(side, "Enabled")
    for key in ("a", "b", "b", "c/d e", "c/f"):
        _put(side, key.encode(), key)
    side.delete_object(Key="b")
    side.list_object_versions(**arguments)


@case
def listed_page_by_page(side):
    _set(side, "Enabled")
    for key in ("a", "a", "b", "c"):
        _put(side, key.encode(), key)
    side.delete_object(Key="a")
    more = {}
    for _ in range(8):
        page = side.list_object_versions(MaxKeys=2, **more)
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


@case
def markers_that_are_none(side):
    _set(side, "Enabled")
    _put(side, b"one")
    side.raw("GET", query={"versions": "", "version-id-marker": "x"})
    side.raw("GET", query={"versions": "", "key-marker": "foo", "version-id-marker": ""})


@case
def written_at_once(side):
    _set(side, "Enabled")
    with concurrent.futures.ThreadPoolExecutor(5) as several:
        list(several.map(lambda n: side.s3.put_object(Bucket=side.bucket, Key="foo", Body=b"%d" % n), range(5)))
    page = side.s3.list_object_versions(Bucket=side.bucket)
    side.note(versions=len(page["Versions"]), latest=sum(one["IsLatest"] for one in page["Versions"]))
    with concurrent.futures.ThreadPoolExecutor(5) as several:
        named = [one["VersionId"] for one in page["Versions"]]
        list(several.map(lambda v: side.s3.delete_object(Bucket=side.bucket, Key="foo", VersionId=v), named))
    side.list_object_versions()


@case
def conditions_on_versions(side):
    _set(side, "Enabled")
    first = side.put_object(Key="foo", Body=b"one")
    side.put_object(Key="foo", Body=b"two")
    side.get_object(Key="foo", VersionId=first["VersionId"], IfMatch=first["ETag"])
    side.get_object(Key="foo", VersionId=first["VersionId"], IfNoneMatch=first["ETag"])
    side.get_object(Key="foo", IfMatch=first["ETag"])


@case
def copied_to_and_fro(side):
    _set(side, "Enabled")
    one = _put(side, b"one", "a?b")
    _put(side, b"two", "a?b")
    plain, other = side.new_bucket(), side.new_bucket()
    side.put_bucket_versioning(Bucket=other, VersioningConfiguration={"Status": "Enabled"})
    source = {"Bucket": side.bucket, "Key": "a?b", "VersionId": one}
    for bucket in (side.bucket, other, plain):
        side.copy_object(Bucket=bucket, Key="c&d", CopySource=source)
        side.get_object(Bucket=bucket, Key="c&d")
    side.copy_object(Key="back", CopySource={"Bucket": plain, "Key": "c&d"})
    side.copy_object(Key="null", CopySource={"Bucket": plain, "Key": "c&d", "VersionId": "null"})
    side.list_object_versions()


@case
def many_keys_with_special_names(side):
    _set(side, "Enabled")
    for key in ("_", ":", " ", "?versionId", "ä"):
        ids = [_put(side, body, key) for body in (b"one", b"two")]
        side.get_object(Key=key, VersionId=ids[0])
        side.delete_object(Key=key, VersionId=ids[1])
        side.get_object(Key=key)
    side.list_object_versions()


@case
def removed_while_suspended_without_a_null(side):
    _set(side, "Enabled")
    ids = [_put(side, body) for body in (b"one", b"two")]
    _set(side, "Suspended")
    side.delete_object(Key="foo")
    side.list_object_versions()
    side.delete_object(Key="foo", VersionId="null")
    side.list_object_versions()
    for one in ids:
        side.delete_object(Key="foo", VersionId=one)
    side.list_object_versions()


@case
def old_plain_object_while_suspended(side):
    side.put_object(Key="foo", Body=b"plain")
    _set(side, "Enabled")
    _set(side, "Suspended")
    side.put_object(Key="foo", Body=b"null")
    side.list_object_versions()
    side.delete_object(Key="foo")
    side.list_object_versions()


@case
def parts_and_copies_of_versions(side):
    _set(side, "Enabled")
    for body in (b"a" * (5 << 20), b"b" * (5 << 20)):
        upload = side.create_multipart_upload(Key="foo", Metadata={"a": "b"}, ContentType="text/bla")["UploadId"]
        parts = []
        for number, piece in ((1, body), (2, b"end")):
            part = side.upload_part(Key="foo", UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload={"Parts": parts})
    for version in side.list_object_versions()["Versions"]:
        side.get_object(Key="foo", VersionId=version["VersionId"], PartNumber=2)
        side.head_object(Key="foo", VersionId=version["VersionId"])


@case
def removed_at_once_with_its_last_version(side):
    _set(side, "Enabled")
    with concurrent.futures.ThreadPoolExecutor(5) as several:
        ids = [side.s3.put_object(Bucket=side.bucket, Key="foo", Body=b"%d" % n)["VersionId"] for n in range(5)]
        list(several.map(lambda v: side.s3.delete_object(Bucket=side.bucket, Key="foo", VersionId=v), ids[:4]))
        list(several.map(lambda _: side.s3.delete_object(Bucket=side.bucket, Key="foo"), range(3)))
    page = side.s3.list_object_versions(Bucket=side.bucket)
    side.note(versions=len(page.get("Versions", [])), markers=len(page.get("DeleteMarkers", [])))
