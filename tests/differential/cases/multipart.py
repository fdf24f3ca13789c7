"""Multipart uploads: parts of every kind, Complete and what is wrong with it, listings, copies into parts, checksums."""

from cases import case, cases
from common.wire import read_answer

_PART = 5 << 20


def _begin(side, key="foo", **more):
    return side.create_multipart_upload(Key=key, **more)["UploadId"]


def _part(side, upload, number, body, key="foo", **more):
    answer = side.upload_part(Key=key, UploadId=upload, PartNumber=number, Body=body, **more)
    # Only of an upload that was begun with an algorithm.
    sums = {name: value for name, value in answer.items() if "ChecksumAlgorithm" in more and name.startswith("Checksum")}
    return {"PartNumber": number, "ETag": answer["ETag"], **sums}


def _complete(side, upload, parts, key="foo", **more):
    return side.complete_multipart_upload(Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **more)


def _whole(side, bodies, **create):
    upload = _begin(side, **create)
    parts = [_part(side, upload, number, body) for number, body in enumerate(bodies, 1)]
    _complete(side, upload, parts)
    return parts


@case
def life(side):
    upload = _begin(side, ContentType="text/plain", Metadata={"a": "b"}, CacheControl="public")
    parts = [_part(side, upload, number, body) for number, body in ((1, b"a" * _PART), (2, b"b" * 100))]
    side.list_parts(Key="foo", UploadId=upload)
    side.list_multipart_uploads()
    side.head_object(Key="foo")
    _complete(side, upload, parts)
    side.head_object(Key="foo")
    side.get_object(Key="foo")
    side.list_objects_v2()
    side.list_parts(Key="foo", UploadId=upload)
    side.list_multipart_uploads()


@case
def one_small_part(side):
    _whole(side, [b"small"])
    side.get_object(Key="foo")
    side.head_object(Key="foo", PartNumber=1)


@case
def without_parts(side):
    upload = _begin(side)
    side.raw("POST", "foo", b"", query={"uploadId": upload})
    _complete(side, upload, [])
    side.raw("POST", "foo", b"<CompleteMultipartUpload>", query={"uploadId": upload})
    side.raw("POST", "foo", b"<CompleteMultipartUpload></CompleteMultipartUpload>", query={"uploadId": upload})
    side.raw("POST", "foo", b"no xml", query={"uploadId": upload})
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def part_of_nothing(side):
    upload = _begin(side)
    part = _part(side, upload, 1, b"")
    _complete(side, upload, [part])
    side.head_object(Key="foo")


@case
def too_small(side):
    upload = _begin(side)
    parts = [_part(side, upload, number, b"small") for number in (1, 2)]
    _complete(side, upload, parts)
    side.head_object(Key="foo")
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def missing_part(side):
    upload = _begin(side)
    part = _part(side, upload, 1, b"a" * 100)
    _complete(side, upload, [{"PartNumber": 9999, "ETag": part["ETag"]}])
    _complete(side, upload, [part, {"PartNumber": 2, "ETag": part["ETag"]}])
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def wrong_etag(side):
    upload = _begin(side)
    _part(side, upload, 1, b"a" * 100)
    _complete(side, upload, [{"PartNumber": 1, "ETag": '"ffffffffffffffffffffffffffffffff"'}])
    _complete(side, upload, [{"PartNumber": 1, "ETag": '"nonsense"'}])
    _complete(side, upload, [{"PartNumber": 1, "ETag": ""}])
    side.head_object(Key="foo")
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def etags_without_quotes(side):
    upload = _begin(side)
    part = _part(side, upload, 1, b"a" * 100)
    _complete(side, upload, [{"PartNumber": 1, "ETag": part["ETag"].strip('"')}])
    side.head_object(Key="foo")


@case
def out_of_order(side):
    upload = _begin(side)
    parts = [_part(side, upload, number, b"a" * _PART) for number in (2, 1)]
    _complete(side, upload, parts)
    _complete(side, upload, [parts[1], parts[1]])
    _complete(side, upload, parts[::-1])
    side.head_object(Key="foo")


@case
def sent_again(side):
    upload = _begin(side)
    first = _part(side, upload, 1, b"a" * _PART)
    again = _part(side, upload, 1, b"c" * _PART)
    last = _part(side, upload, 2, b"b")
    side.list_parts(Key="foo", UploadId=upload)
    _complete(side, upload, [first, last])
    _complete(side, upload, [again, last])
    side.get_object(Key="foo")


@case
def completed_twice(side):
    upload = _begin(side)
    part = _part(side, upload, 1, b"a" * 100)
    first = _complete(side, upload, [part])
    second = _complete(side, upload, [part])
    if first and second:
        side.note(same=first["ETag"] == second["ETag"])
    side.get_object(Key="foo")


@case
def overwriting(side):
    side.put_object(Key="foo", Body=b"old", Metadata={"old": "1"})
    upload = _begin(side)
    part = _part(side, upload, 1, b"new")
    side.get_object(Key="foo")
    _complete(side, upload, [part])
    side.get_object(Key="foo")


@case
def two_uploads_of_one_key(side):
    uploads = [_begin(side), _begin(side)]
    parts = [_part(side, upload, 1, body) for upload, body in zip(uploads, (b"one", b"two"), strict=True)]
    side.list_multipart_uploads()
    _complete(side, uploads[1], [parts[1]])
    _complete(side, uploads[0], [parts[0]])
    side.get_object(Key="foo")


@case
def aborted(side):
    upload = _begin(side)
    part = _part(side, upload, 1, b"a")
    side.abort_multipart_upload(Key="foo", UploadId=upload)
    side.abort_multipart_upload(Key="foo", UploadId=upload)
    side.list_parts(Key="foo", UploadId=upload)
    side.upload_part(Key="foo", UploadId=upload, PartNumber=2, Body=b"a")
    _complete(side, upload, [part])
    side.list_multipart_uploads()


@case
def unknown_upload(side):
    _begin(side)
    for unknown in ("56788", "no-such-upload"):
        side.list_parts(Key="foo", UploadId=unknown)
        side.abort_multipart_upload(Key="foo", UploadId=unknown)
        side.upload_part(Key="foo", UploadId=unknown, PartNumber=1, Body=b"a")
        _complete(side, unknown, [{"PartNumber": 1, "ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}])


@case
def of_another_key(side):
    upload = _begin(side)
    side.upload_part(Key="goo", UploadId=upload, PartNumber=1, Body=b"a")
    side.list_parts(Key="goo", UploadId=upload)
    side.abort_multipart_upload(Key="goo", UploadId=upload)
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def in_no_bucket(side):
    none = "no-such-bucket-anywhere"
    side.create_multipart_upload(Bucket=none, Key="foo")
    side.list_multipart_uploads(Bucket=none)
    side.upload_part(Bucket=none, Key="foo", UploadId="x", PartNumber=1, Body=b"a")
    side.abort_multipart_upload(Bucket=none, Key="foo", UploadId="x")


@cases(zero=("0",), beyond=("10001",), negative=("-1",), letters=("one",), empty=("",))
def part_number(side, number):
    upload = _begin(side)
    side.raw("PUT", "foo", b"bar", query={"partNumber": number, "uploadId": upload})
    side.list_parts(Key="foo", UploadId=upload)
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@case
def parts_are_listed_page_by_page(side):
    upload = _begin(side)
    for number in (1, 3, 4, 7, 9):
        _part(side, upload, number, b"x" * number)
    side.list_parts(Key="foo", UploadId=upload, MaxParts=2)
    side.list_parts(Key="foo", UploadId=upload, MaxParts=2, PartNumberMarker=3)
    side.list_parts(Key="foo", UploadId=upload, MaxParts=1000, PartNumberMarker=7)
    side.list_parts(Key="foo", UploadId=upload, PartNumberMarker=10_000)
    side.raw("GET", "foo", query={"uploadId": upload, "max-parts": "many"})
    side.abort_multipart_upload(Key="foo", UploadId=upload)


@cases(
    all=({},),
    one=({"MaxUploads": 1},),
    prefix=({"Prefix": "a/"},),
    delimiter=({"Delimiter": "/"},),
    both=({"Prefix": "a/", "Delimiter": "/"},),
    marker=({"KeyMarker": "a/b/1"},),
    marker_beyond=({"KeyMarker": "zzz"},),
    encoded=({"EncodingType": "url"},),
    none_there=({"Prefix": "nothing"},),
)
def uploads_are_listed(side, arguments):
    for key in ("a/b/1", "a/c d", "b+1", "c"):
        _begin(side, key=key)
    side.list_multipart_uploads(**arguments)


@case
def ranges_and_parts_are_read(side):
    _whole(side, [b"a" * _PART, b"b" * _PART, b"c" * 10])
    for number in (1, 2, 3, 4):
        side.get_object(Key="foo", PartNumber=number)
        side.head_object(Key="foo", PartNumber=number)
    for text in ("bytes=0-9", f"bytes={_PART - 5}-{_PART + 4}", "bytes=-15", f"bytes={2 * _PART}-"):
        side.get_object(Key="foo", Range=text)
    side.get_object(Key="foo", PartNumber=0)


@cases(crc32=("CRC32",), crc32c=("CRC32C",), sha1=("SHA1",), sha256=("SHA256",), crc64=("CRC64NVME",))
def checksums(side, algorithm):
    kind = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    upload = _begin(side, ChecksumAlgorithm=algorithm)
    bodies = [b"a" * _PART, b"b" * 10]
    parts = [_part(side, upload, n, body, ChecksumAlgorithm=algorithm) for n, body in enumerate(bodies, 1)]
    side.list_parts(Key="foo", UploadId=upload)
    _complete(side, upload, parts, ChecksumType=kind)
    side.head_object(Key="foo", ChecksumMode="ENABLED")
    side.get_object(Key="foo", ChecksumMode="ENABLED")
    side.get_object(Key="foo", PartNumber=1, ChecksumMode="ENABLED")
    side.get_object_attributes(Key="foo", ObjectAttributes=["Checksum", "ObjectParts", "ETag", "ObjectSize"])


@cases(crc32=("CRC32",), crc32c=("CRC32C",), crc64=("CRC64NVME",))
def checksums_over_the_whole(side, algorithm):
    upload = _begin(side, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    bodies = [b"a" * _PART, b"b" * 10]
    parts = [_part(side, upload, n, body, ChecksumAlgorithm=algorithm) for n, body in enumerate(bodies, 1)]
    wrong = {f"Checksum{algorithm}": "AAAAAA==" if algorithm != "CRC64NVME" else "AAAAAAAAAAA="}
    _complete(side, upload, parts, ChecksumType="FULL_OBJECT", **wrong)
    _complete(side, upload, parts, ChecksumType="FULL_OBJECT")
    side.head_object(Key="foo", ChecksumMode="ENABLED")
    side.get_object_attributes(Key="foo", ObjectAttributes=["Checksum", "ObjectParts"])


@cases(sha1=("SHA1", "FULL_OBJECT"), sha256=("SHA256", "FULL_OBJECT"), crc64=("CRC64NVME", "COMPOSITE"))
def checksum_types_that_do_not_go_together(side, algorithm, kind):
    side.create_multipart_upload(Key="foo", ChecksumAlgorithm=algorithm, ChecksumType=kind)


@case
def wrong_checksum_of_a_part(side):
    upload = _begin(side, ChecksumAlgorithm="SHA256")
    side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"abc", ChecksumSHA256="A" * 43 + "=")
    part = _part(side, upload, 1, b"abc", ChecksumAlgorithm="SHA256")
    _complete(side, upload, [{**part, "ChecksumSHA256": "A" * 43 + "="}])
    _complete(side, upload, [part])
    side.head_object(Key="foo", ChecksumMode="ENABLED")


@cases(right=(0,), wrong=(1,))
def size_told_to_complete(side, off):
    upload = _begin(side)
    part = _part(side, upload, 1, b"abc")
    _complete(side, upload, [part], MpuObjectSize=3 + off)
    side.head_object(Key="foo")


def _copied(side, source, ranges, key="copy"):
    upload = _begin(side, key=key)
    parts = []
    for number, text in enumerate(ranges, 1):
        more = {"CopySourceRange": text} if text else {}
        answer = side.upload_part_copy(Key=key, UploadId=upload, PartNumber=number, CopySource=source, **more)
        if answer:
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    return upload, parts


@cases(
    whole=([None],),
    first=(["bytes=0-0"],),
    several=([f"bytes=0-{_PART - 1}", f"bytes={_PART}-{_PART + 9}"],),
    of_it=(["bytes=5-14"],),
)
def parts_are_copied(side, ranges):
    side.put_object(Key="foo", Body=bytes(range(250)) * 21_000)
    upload, parts = _copied(side, {"Bucket": side.bucket, "Key": "foo"}, ranges)
    side.list_parts(Key="copy", UploadId=upload)
    _complete(side, upload, parts, key="copy")
    side.get_object(Key="copy")


@cases(
    beyond=("bytes=0-50",),
    far_beyond=("bytes=50-60",),
    backwards=("bytes=5-2",),
    open_end=("bytes=1-",),
    suffix=("bytes=-1",),
    no_unit=("0-2",),
    other_unit=("lines=0-2",),
    letters=("bytes=a-b",),
    hello=("bytes=hello-world",),
    spaces=("bytes= 0-2",),
    several=("bytes=0-1,3-4",),
)
def copied_range(side, text):
    side.put_object(Key="foo", Body=b"0123456789")
    _copied(side, {"Bucket": side.bucket, "Key": "foo"}, [text])


@cases(space=(" ",), underscore=("_",), double_underscore=("__",), version=("?versionId",), slash=("a//b",), utf_8=("é",))
def parts_are_copied_from_a_name(side, name):
    side.put_object(Key=name, Body=b"0123456789")
    upload, parts = _copied(side, {"Bucket": side.bucket, "Key": name}, ["bytes=0-5"])
    _complete(side, upload, parts, key="copy")
    side.get_object(Key="copy")


@case
def parts_are_copied_from_a_version(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    versions = [side.put_object(Key="foo", Body=body)["VersionId"] for body in (b"first", b"second", b"third")]
    for version in versions:
        upload, parts = _copied(side, {"Bucket": side.bucket, "Key": "foo", "VersionId": version}, [None])
        _complete(side, upload, parts, key="copy")
        side.get_object(Key="copy")


@case
def parts_are_copied_from_nothing(side):
    side.put_object(Key="foo", Body=b"0123456789")
    _copied(side, {"Bucket": side.bucket, "Key": "never-there"}, [None])
    _copied(side, {"Bucket": "no-such-bucket-anywhere", "Key": "foo"}, [None])


@cases(
    match=({"CopySourceIfMatch": "{etag}"},),
    match_other=({"CopySourceIfMatch": '"ABCORZ"'},),
    none_match=({"CopySourceIfNoneMatch": "{etag}"},),
    none_match_other=({"CopySourceIfNoneMatch": '"ABCORZ"'},),
)
def parts_are_copied_under_a_condition(side, conditions):
    etag = side.put_object(Key="foo", Body=b"0123456789")["ETag"]
    upload = _begin(side, key="copy")
    given = {name: value.format(etag=etag) for name, value in conditions.items()}
    source = {"Bucket": side.bucket, "Key": "foo"}
    side.upload_part_copy(Key="copy", UploadId=upload, PartNumber=1, CopySource=source, **given)


@cases(
    none_match_any=({"IfNoneMatch": "*"},),
    match=({"IfMatch": "{etag}"},),
    match_other=({"IfMatch": '"ABCORZ"'},),
)
def completed_under_a_condition(side, conditions):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    given = {name: value.format(etag=etag) for name, value in conditions.items()}
    for key in ("foo", "never-there"):
        upload = _begin(side, key=key)
        part = _part(side, upload, 1, b"new", key=key)
        _complete(side, upload, [part], key=key, **given)
        side.head_object(Key=key)


@case
def with_everything_at_create(side):
    _whole(
        side,
        [b"abc"],
        Tagging="a=b&c=d%20e",
        ContentType="text/plain",
        ContentEncoding="gzip",
        ContentLanguage="de",
        ContentDisposition="inline",
        StorageClass="STANDARD",
        WebsiteRedirectLocation="/there",
        ACL="public-read",
    )
    side.head_object(Key="foo")
    side.get_object_tagging(Key="foo")
    side.get_object_acl(Key="foo")


@case
def in_a_versioned_bucket(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    _whole(side, [b"one"])
    _whole(side, [b"two"])
    side.list_object_versions()
    side.get_object(Key="foo")


@case
def bucket_with_an_upload_is_removed(side):
    upload = _begin(side)
    side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"one")
    side.delete_bucket()
    side.create_bucket()
    side.list_multipart_uploads()
    side.list_parts(Key="foo", UploadId=upload)
    side.upload_part(Key="foo", UploadId=upload, PartNumber=2, Body=b"two")


@cases(
    hundred_kilo=([_PART + (100 << 10)],),
    and_a_rest=([_PART, 100 << 10],),
    uneven=([_PART + 1, _PART + 77_777, 3],),
    two=([_PART, _PART],),
)
def sizes(side, sizes):
    _whole(side, [bytes([65 + index]) * size for index, size in enumerate(sizes)])
    side.get_object(Key="foo")
    side.head_object(Key="foo")
    side.list_objects_v2()


@case
def first_of_two_senders_ends_last(side):
    upload = _begin(side)
    slow, quick = b"A" * (1 << 20), b"B" * (1 << 20)
    query = {"partNumber": "1", "uploadId": upload}
    with side.wire.connect() as connection:
        headers = {"Content-Length": str(len(slow))}
        head = side.wire.head("PUT", f"/{side.bucket}/foo", query=query, headers=headers, payload="UNSIGNED-PAYLOAD")
        connection.sendall(head + slow[: 1 << 19])
        _part(side, upload, 1, quick)
        connection.sendall(slow[1 << 19 :])
        answer = read_answer(connection, "PUT")
    side.note(status=answer.status)
    _complete(side, upload, [{"PartNumber": 1, "ETag": answer.headers["etag"]}])
    side.get_object(Key="foo")


@cases(wrong=("rL0Y20xC+Fzt72VPzMSk2A==",), nonsense=("AAAA",), right=("N7UdGUp1E+RbVvZSTy1R8g==",))
def digest_of_a_part(side, digest):
    upload = _begin(side)
    side.raw("PUT", "foo", b"bar", query={"partNumber": "1", "uploadId": upload}, headers={"Content-MD5": digest})
    side.list_parts(Key="foo", UploadId=upload)


@case
def checksum_of_another_kind_than_announced(side):
    upload = _begin(side, ChecksumAlgorithm="SHA256")
    side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"abc", ChecksumAlgorithm="CRC32")
    side.upload_part(Key="foo", UploadId=upload, PartNumber=2, Body=b"abc")
    side.list_parts(Key="foo", UploadId=upload)


@case
def checksum_of_the_parts_is_left_out_at_the_end(side):
    upload = _begin(side, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    part = _part(side, upload, 1, b"abc", ChecksumAlgorithm="CRC32")
    _complete(side, upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    side.head_object(Key="foo", ChecksumMode="ENABLED")


@cases(zero=("0",), negative=("-1",), letters=("many",), more=("1001",), empty=("",))
def page_size_of_parts(side, value):
    upload = _begin(side)
    for number in (1, 2):
        _part(side, upload, number, b"x" * number)
    side.raw("GET", "foo", query={"uploadId": upload, "max-parts": value})
    side.raw("GET", "", query={"uploads": "", "max-uploads": value})
    side.raw("GET", "foo", query={"uploadId": upload, "part-number-marker": value})


@case
def uploads_of_one_key_page_by_page(side):
    for key in ("a", "a", "b"):
        _begin(side, key=key)
    more, seen = {}, []
    for _ in range(6):
        page = side.s3.list_multipart_uploads(Bucket=side.bucket, MaxUploads=1, **more)
        seen += [one["Key"] for one in page.get("Uploads", [])]
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    side.note(seen=seen)


@case
def copied_into_parts_of_several_sizes(side):
    side.put_object(Key="foo", Body=bytes(range(250)) * 48_000)
    for size in (_PART, _PART + 100_000, 2 * _PART):
        ranges = [f"bytes={first}-{min(first + _PART, size) - 1}" for first in range(0, size, _PART)]
        upload, parts = _copied(side, {"Bucket": side.bucket, "Key": "foo"}, ranges)
        _complete(side, upload, parts, key="copy")
        side.get_object(Key="copy")


@case
def begun_with_headers_that_are_wrong(side):
    for headers in (
        {"x-amz-acl": "no-such-acl"},
        {"x-amz-storage-class": "NO_SUCH_CLASS"},
        {"x-amz-tagging": "a=1&a=2"},
        {"x-amz-checksum-algorithm": "CRC99"},
        {"x-amz-server-side-encryption": "AES512"},
    ):
        side.raw("POST", "foo", query={"uploads": ""}, headers=headers)
