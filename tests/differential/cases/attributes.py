"""GetObjectAttributes."""

from cases import case, cases


@case
def of_an_object(side):
    side.put_object(Key="foo", Body=b"bar")
    side.get_object_attributes(Key="foo", ObjectAttributes=["ETag", "ObjectSize", "StorageClass", "ObjectParts", "Checksum"])
    side.get_object_attributes(Key="foo", ObjectAttributes=["ObjectSize"])
    side.get_object_attributes(Key="never-there", ObjectAttributes=["ETag"])
    side.raw("GET", "foo", query={"attributes": ""})
    side.raw("GET", "foo", query={"attributes": ""}, headers={"x-amz-object-attributes": "Everything"})


@cases(all=({},), one=({"MaxParts": 1},), from_one=({"PartNumberMarker": 1},))
def of_parts(side, arguments):
    upload = side.create_multipart_upload(Key="foo", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in ((1, b"a" * (5 << 20)), (2, b"b")):
        answer = side.upload_part(Key="foo", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256")
        sums = {name: value for name, value in answer.items() if name == "ChecksumSHA256"}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload={"Parts": parts})
    side.get_object_attributes(Key="foo", ObjectAttributes=["ObjectParts", "ETag", "Checksum"], **arguments)


@case
def of_versions(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    first = side.put_object(Key="foo", Body=b"one")["VersionId"]
    side.put_object(Key="foo", Body=b"three")
    side.get_object_attributes(Key="foo", ObjectAttributes=["ETag", "ObjectSize"])
    side.get_object_attributes(Key="foo", VersionId=first, ObjectAttributes=["ETag", "ObjectSize"])
    side.get_object_attributes(Key="foo", VersionId="no-such-version", ObjectAttributes=["ETag"])
    marker = side.delete_object(Key="foo")["VersionId"]
    side.get_object_attributes(Key="foo", ObjectAttributes=["ETag"])
    side.get_object_attributes(Key="foo", VersionId=marker, ObjectAttributes=["ETag"])


@case
def of_parts_without_checksums(side):
    upload = side.create_multipart_upload(Key="foo")["UploadId"]
    parts = []
    for number, body in ((1, b"a" * (5 << 20)), (3, b"c" * (5 << 20)), (7, b"b")):
        answer = side.upload_part(Key="foo", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload={"Parts": parts})
    wanted = ["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    side.get_object_attributes(Key="foo", ObjectAttributes=wanted)
    side.get_object_attributes(Key="foo", ObjectAttributes=wanted, MaxParts=2)
    side.get_object_attributes(Key="foo", ObjectAttributes=wanted, MaxParts=1, PartNumberMarker=1)
    for number in (1, 2, 3, 4, 7):
        side.get_object(Key="foo", PartNumber=number)
        side.head_object(Key="foo", PartNumber=number)


@case
def of_one_part(side):
    upload = side.create_multipart_upload(Key="foo", ChecksumAlgorithm="CRC32")["UploadId"]
    answer = side.upload_part(Key="foo", UploadId=upload, PartNumber=1, Body=b"bar", ChecksumAlgorithm="CRC32")
    part = {"PartNumber": 1, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]} if answer and "ChecksumCRC32" in answer else {"PartNumber": 1, "ETag": answer["ETag"]}
    side.complete_multipart_upload(Key="foo", UploadId=upload, MultipartUpload={"Parts": [part]})
    side.get_object_attributes(Key="foo", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize"])
