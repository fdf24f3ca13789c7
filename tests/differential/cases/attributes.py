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
