"""ListObjects, its second version, and ListObjectVersions."""

import concurrent.futures

from cases import case, cases

_FLAT = ("bar", "baz", "cab", "foo")
_TREE = ("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")
_BOTH = ("list_objects", "list_objects_v2", "list_object_versions")


def _fill(side, keys):
    for key in keys:
        side.s3.put_object(Bucket=side.bucket, Key=key, Body=key.encode())


@cases(
    slash=(_TREE, {"Delimiter": "/"}),
    slash_under=(_TREE, {"Delimiter": "/", "Prefix": "boo/"}),
    slash_under_half=(_TREE, {"Delimiter": "/", "Prefix": "bo"}),
    prefix_is_a_key=(("asdf/",), {"Delimiter": "/", "Prefix": "asdf/"}),
    letter=(_FLAT, {"Delimiter": "a"}),
    letter_under=(("bar", "bazar", "cab", "foo"), {"Delimiter": "a", "Prefix": "ba"}),
    percent=(("b%ar", "b%az", "c%ab", "foo"), {"Delimiter": "%"}),
    space=(("b ar", "b az", "c ab", "foo"), {"Delimiter": " "}),
    dot=(("b.ar", "b.az", "c.ab", "foo"), {"Delimiter": "."}),
    several_letters=(("a--b", "a--c", "b-d"), {"Delimiter": "--"}),
    newline=(_FLAT, {"Delimiter": "\n"}),
    empty=(_FLAT, {"Delimiter": ""}),
    not_there=(_FLAT, {"Delimiter": "/"}),
    underscore=(("_obj1_", "_under1/bar", "_under1/baz/xyzzy", "_under2/thud"), {"Delimiter": "/"}),
    prefix=(("foo/bar", "foo/baz", "quux"), {"Prefix": "foo/"}),
    prefix_empty=(_FLAT, {"Prefix": ""}),
    prefix_not_there=(_FLAT, {"Prefix": "d"}),
    prefix_newline=(_FLAT, {"Prefix": "\n"}),
    one=(_FLAT, {"MaxKeys": 1}),
    none=(_FLAT, {"MaxKeys": 0}),
    thousands=(_FLAT, {"MaxKeys": 5000}),
    negative=(_FLAT, {"MaxKeys": -1}),
    encoded=(("foo+1/bar", "foo/bar baz/xyz", "quux ab/thud", "asdf+b"), {"Delimiter": "/", "EncodingType": "url"}),
    nothing_in_it=((), {}),
)
def asked(side, keys, arguments):
    _fill(side, keys)
    for operation in _BOTH:
        side.call(operation, **arguments)


@cases(
    marker=("baz",),
    marker_between=("blah",),
    marker_last=("zzz",),
    marker_first=("aaa",),
    marker_empty=("",),
    marker_newline=("\n",),
)
def from_a_marker(side, marker):
    _fill(side, ("bar", "baz", "foo", "quxx"))
    side.list_objects(Marker=marker)
    side.list_objects_v2(StartAfter=marker)
    side.list_object_versions(KeyMarker=marker)
    side.list_objects(Marker=marker, MaxKeys=1)
    side.list_objects_v2(StartAfter=marker, MaxKeys=1, FetchOwner=True)


@cases(one=(1,), two=(2,))
def paged(side, size):
    _fill(side, _TREE)
    for prefix in ("", "boo/"):
        marker = ""
        while marker is not None:
            page = side.list_objects(Delimiter="/", Prefix=prefix, MaxKeys=size, Marker=marker)
            marker = page.get("NextMarker") if page["IsTruncated"] else None
        more = {}
        while more is not None:
            page = side.list_objects_v2(Delimiter="/", Prefix=prefix, MaxKeys=size, **more)
            more = {"ContinuationToken": page["NextContinuationToken"]} if page["IsTruncated"] else None


@case
def paged_without_a_delimiter(side):
    _fill(side, _FLAT)
    page = side.list_objects(MaxKeys=2)
    side.list_objects(MaxKeys=2, Marker=page["Contents"][-1]["Key"])
    page = side.list_objects_v2(MaxKeys=2, StartAfter="bar")
    side.list_objects_v2(MaxKeys=2, StartAfter="bar", ContinuationToken=page["NextContinuationToken"])


@cases(
    letters=("max-keys", "blah"),
    newline=("max-keys", "\n"),
    fraction=("max-keys", "1.5"),
    huge=("max-keys", "99999999999999999999"),
    empty=("max-keys", ""),
    encoding=("encoding-type", "base64"),
    token=("continuation-token", "no token"),
    token_empty=("continuation-token", ""),
    list_type=("list-type", "3"),
    fetch_owner=("fetch-owner", "yes"),
    unordered=("allow-unordered", "true"),
)
def bad_value(side, name, value):
    _fill(side, _FLAT)
    side.raw("GET", query={name: value})
    side.raw("GET", query={"list-type": "2", name: value})


@case
def unordered_with_a_delimiter(side):
    _fill(side, _FLAT)
    side.raw("GET", query={"allow-unordered": "true", "delimiter": "/"})
    side.raw("GET", query={"list-type": "2", "allow-unordered": "true", "delimiter": "/"})


@case
def agrees_with_head(side):
    side.put_object(Key="foo", Body=b"x" * 100_000, ContentType="text/plain")
    side.head_object(Key="foo")
    side.list_objects()
    side.list_objects_v2(FetchOwner=True)


@case
def owners_are_those_of_the_acl(side):
    side.put_object(Key="foo", Body=b"bar")
    owner = side.s3.get_object_acl(Bucket=side.bucket, Key="foo")["Owner"]["ID"]
    first = side.s3.list_objects(Bucket=side.bucket)["Contents"][0]
    second = side.s3.list_objects_v2(Bucket=side.bucket, FetchOwner=True)["Contents"][0]
    version = side.s3.list_object_versions(Bucket=side.bucket)["Versions"][0]
    side.note(same=[one["Owner"]["ID"] == owner for one in (first, second, version)])


@case
def versions(side):
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    side.put_object(Key="foo", Body=b"1")
    side.put_object(Key="foo", Body=b"22")
    side.put_object(Key="goo", Body=b"333")
    side.delete_object(Key="foo")
    side.list_object_versions()
    side.list_objects_v2()
    side.list_objects(Marker="foo")
    page = side.list_object_versions(MaxKeys=2)
    if page:
        marker, version = page["NextKeyMarker"], page["NextVersionIdMarker"]
        side.list_object_versions(KeyMarker=marker, VersionIdMarker=version)


_DEEP = ("a/b/c", "a/b/d", "a/e", "a-b", "b/c", "b", "ba")


@cases(
    both_there=({"Prefix": "a/", "Delimiter": "/"},),
    half_a_name=({"Prefix": "a", "Delimiter": "b"},),
    prefix_not_there=({"Prefix": "y", "Delimiter": "/"},),
    delimiter_not_there=({"Prefix": "b", "Delimiter": "z"},),
    neither_there=({"Prefix": "y", "Delimiter": "z"},),
    long_delimiter=({"Prefix": "a", "Delimiter": "/b/"},),
    prefix_with_its_delimiter=({"Prefix": "a/b/", "Delimiter": "/b/"},),
    beyond_the_prefix=({"Prefix": "a/", "Delimiter": "/", "Marker": "b"},),
    before_the_prefix=({"Prefix": "b", "Delimiter": "/", "Marker": "a"},),
    in_a_common_prefix=({"Delimiter": "/", "Marker": "a/b/c"},),
    a_common_prefix=({"Delimiter": "/", "Marker": "a/"},),
)
def asked_for_both(side, arguments):
    _fill(side, _DEEP)
    side.list_objects(**arguments)
    after = {("StartAfter" if name == "Marker" else name): value for name, value in arguments.items()}
    side.list_objects_v2(**after)
    marker = {("KeyMarker" if name == "Marker" else name): value for name, value in arguments.items()}
    side.list_object_versions(**marker)


@case
def of_a_thousand_and_one(side):
    with concurrent.futures.ThreadPoolExecutor(8) as several:
        list(several.map(lambda n: side.s3.put_object(Bucket=side.bucket, Key=f"{n:04}", Body=b"x"), range(1001)))
    page = side.s3.list_objects_v2(Bucket=side.bucket)
    rest = side.s3.list_objects_v2(Bucket=side.bucket, ContinuationToken=page["NextContinuationToken"])
    side.note(first=page["KeyCount"], truncated=page["IsTruncated"], rest=[one["Key"] for one in rest["Contents"]])
    names = [{"Key": f"{n:04}"} for n in range(1, 1001)]
    answer = side.s3.delete_objects(Bucket=side.bucket, Delete={"Objects": names})
    side.note(deleted=len(answer["Deleted"]))
    side.list_objects()


@case
def token_with_other_arguments(side):
    _fill(side, _DEEP)
    token = side.list_objects_v2(MaxKeys=2)["NextContinuationToken"]
    side.list_objects_v2(MaxKeys=3, ContinuationToken=token)
    side.list_objects_v2(MaxKeys=2, ContinuationToken=token, Prefix="b")
    side.list_objects_v2(MaxKeys=2, ContinuationToken=token, Delimiter="/")
    side.list_objects_v2(MaxKeys=2, ContinuationToken=token, StartAfter="zzz")


@cases(marker=("marker", ""), start_after=("start-after", ""))
def text_that_is_none(side, name, value):
    _fill(side, _FLAT)
    head = side.wire.head("GET", f"/{side.bucket}", query={name: value}, raw_query=f"{name}={value}")
    side.answered("GET", side.wire.raw(head))


@case
def query_without_a_value_or_twice(side):
    _fill(side, _FLAT)
    side.raw("GET", query={"prefix": "b"})
    head = side.wire.head("GET", f"/{side.bucket}", query={"max-keys": "2", "unknown": "1"})
    side.answered("GET", side.wire.raw(head))
