"""Keys of every legal kind."""

from cases import case, cases


@cases(
    utf_8=("字/ключ/clé",),
    emoji=("😀",),
    space=("a b",),
    spaces=(" a  b ",),
    plus=("a+b",),
    percent=("a%b",),
    percent_escape=("a%2Fb",),
    double_slash=("a//b",),
    leading_slash=("/a",),
    only_slash=("/",),
    trailing_slash=("a/",),
    dot=(".",),
    dots=("..",),
    dotted_path=("a/./b/../c",),
    question=("a?b=c",),
    hash=("a#b",),
    ampersand=("a&b",),
    colon=("a:b",),
    equals=("a=b",),
    quote=("a\"b'c",),
    angle=("a<b>c",),
    backslash=("a\\b",),
    brackets=("a[b]{c}",),
    tilde=("~a",),
    underscore=("_a",),
    star=("a*b",),
    caret_pipe=("a^b|c`d",),
    newline=("\n",),
    tab=("a\tb",),
    bell=("a\x07b",),
    long=("k" * 1024,),
    long_utf_8=("字" * 341,),
    too_long=("k" * 1025,),
    name_of_a_query=("delete",),
)
def key(side, name):
    side.put_object(Key=name, Body=b"bar")
    side.get_object(Key=name)
    side.head_object(Key=name)
    side.list_objects_v2()
    side.list_objects(Prefix=name[:2])
    side.delete_objects(Delete={"Objects": [{"Key": name}]})
    side.list_objects_v2()


@case
def not_the_same(side):
    for name in ("a", "A", "a/", "/a", "a//", "a ", "a+", "a%20"):
        side.put_object(Key=name, Body=name.encode())
    for name in ("a", "A", "a/", "/a", "a//", "a ", "a+", "a%20"):
        side.get_object(Key=name)
    side.list_objects_v2()


@cases(space=(" ",), spaces=("   ",), tab=("\t",), wide_space=("\u3000",))
def removed_by_itself(side, name):
    side.put_object(Key=name, Body=b"bar")
    side.delete_object(Key=name)
    side.head_object(Key=name)
    side.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})
    version = side.put_object(Key=name, Body=b"bar")["VersionId"]
    side.delete_object(Key=name, VersionId=version)
    side.list_object_versions()
