"""DeleteObject under conditions, and DeleteObjects in bulk."""

from cases import case, cases


@cases(
    match=({"If-Match": "{etag}"},),
    match_bare=({"If-Match": "{bare}"},),
    match_other=({"If-Match": '"ABCORZ"'},),
    match_any=({"If-Match": "*"},),
)
def under_a_condition(side, headers):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    given = {name: value.format(etag=etag, bare=etag.strip('"')) for name, value in headers.items()}
    side.raw("DELETE", "foo", headers=given)
    side.head_object(Key="foo")
    side.raw("DELETE", "never-there", headers=given)


@case
def a_thousand_at_once(side):
    for index in range(20):
        side.s3.put_object(Bucket=side.bucket, Key=f"k{index:04}", Body=b"x")
    named = [{"Key": f"k{index:04}"} for index in range(1000)]
    answer = side.s3.delete_objects(Bucket=side.bucket, Delete={"Objects": named})
    side.note(deleted=len(answer["Deleted"]), errors=len(answer.get("Errors", [])))
    side.list_objects_v2()


@case
def quietly(side):
    for key in ("a", "b"):
        side.put_object(Key=key, Body=b"x")
    side.delete_objects(Delete={"Objects": [{"Key": "a"}, {"Key": "b"}, {"Key": "never-there"}], "Quiet": True})
    side.list_objects_v2()


@case
def in_no_bucket(side):
    side.delete_objects(Bucket="no-such-bucket-anywhere", Delete={"Objects": [{"Key": "a"}]})
    side.delete_object(Bucket="no-such-bucket-anywhere", Key="a")


@case
def without_a_digest(side):
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    side.raw("POST", body=body, query={"delete": ""})
    side.raw("POST", body=body, query={"delete": ""}, headers={"Content-MD5": "rL0Y20xC+Fzt72VPzMSk2A=="})
