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


@cases(
    match=({"ETag": "{etag}"},),
    match_bare=({"ETag": "{bare}"},),
    other=({"ETag": '"ABCORZ"'},),
    any=({"ETag": "*"},),
    size=({"Size": 3},),
    other_size=({"Size": 4},),
)
def many_under_conditions(side, conditions):
    etag = side.put_object(Key="foo", Body=b"bar")["ETag"]
    given = {k: v.format(etag=etag, bare=etag.strip('"')) if isinstance(v, str) else v for k, v in conditions.items()}
    side.delete_objects(Delete={"Objects": [{"Key": "foo", **given}, {"Key": "never-there", **given}]})
    side.head_object(Key="foo")


@cases(
    size=({"x-amz-if-match-size": "3"},),
    other_size=({"x-amz-if-match-size": "4"},),
    no_size=({"x-amz-if-match-size": "many"},),
    long_ago=({"x-amz-if-match-last-modified-time": "Sat, 29 Oct 1994 19:43:31 GMT"},),
    no_date=({"x-amz-if-match-last-modified-time": "yesterday"},),
)
def under_another_condition(side, headers):
    side.put_object(Key="foo", Body=b"bar")
    side.raw("DELETE", "foo", headers=headers)
    side.head_object(Key="foo")


@case
def of_versions_under_a_condition(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    first, second = (side.put_object(Key="foo", Body=body) for body in (b"one", b"two"))
    side.raw("DELETE", "foo", query={"versionId": first["VersionId"]}, headers={"If-Match": second["ETag"]})
    side.raw("DELETE", "foo", query={"versionId": first["VersionId"]}, headers={"If-Match": first["ETag"]})
    side.raw("DELETE", "foo", headers={"If-Match": first["ETag"]})
    side.raw("DELETE", "foo", headers={"If-Match": second["ETag"]})
    side.list_object_versions()
    side.raw("DELETE", "foo", headers={"If-Match": second["ETag"]})


@case
def many_of_one_name(side):
    side.put_object(Key="foo", Body=b"bar")
    side.delete_objects(Delete={"Objects": [{"Key": "foo"}, {"Key": "foo"}]})
    side.delete_objects(Delete={"Objects": [{"Key": "foo", "VersionId": ""}]})
