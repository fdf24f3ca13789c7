"""Tags of objects and buckets: their limits, and every way to set them."""

from cases import case, cases


def _set(count, length=4, value=4):
    return [{"Key": f"{n:0{length}}", "Value": "v" * value} for n in range(count)]


@cases(
    none=([],),
    one=([{"Key": "a", "Value": "b"}],),
    no_value=([{"Key": "a", "Value": ""}],),
    ten=(_set(10),),
    eleven=(_set(11),),
    longest=(_set(10, 128, 256),),
    key_too_long=(_set(1, 129, 1),),
    value_too_long=(_set(1, 1, 257),),
    twice=([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],),
    aws=([{"Key": "aws:a", "Value": "1"}],),
    odd_characters=([{"Key": "a b+-=._:/@", "Value": "é 字"}],),
    bad_characters=([{"Key": "a!", "Value": "{}"}],),
)
def of_an_object(side, tags):
    side.put_object(Key="foo", Body=b"bar")
    side.put_object_tagging(Key="foo", Tagging={"TagSet": tags})
    side.get_object_tagging(Key="foo")
    side.head_object(Key="foo")
    side.delete_object_tagging(Key="foo")
    side.get_object_tagging(Key="foo")


@case
def of_a_bucket(side):
    side.get_bucket_tagging()
    side.put_bucket_tagging(Tagging={"TagSet": [{"Key": "Hello", "Value": "World"}]})
    side.get_bucket_tagging()
    side.delete_bucket_tagging()
    side.get_bucket_tagging()


@cases(
    one=("a=b",),
    two=("a=b&c=d",),
    escaped=("a%20b=%C3%BC%26&c+d=e",),
    no_value=("a&b=",),
    empty=("",),
    eleven=("&".join(f"k{n}=v" for n in range(11)),),
    twice=("a=1&a=2",),
    key_too_long=("k" * 129 + "=v",),
)
def in_a_header(side, text):
    side.raw("PUT", "foo", b"bar", headers={"x-amz-tagging": text})
    side.get_object_tagging(Key="foo")
    side.raw("HEAD", "foo")
    side.raw("GET", "foo")


@case
def are_gone_with_the_object(side):
    side.put_object(Key="foo", Body=b"bar", Tagging="a=b")
    side.put_object(Key="foo", Body=b"bar")
    side.get_object_tagging(Key="foo")
    side.delete_object(Key="foo")
    side.get_object_tagging(Key="foo")
    side.put_object_tagging(Key="foo", Tagging={"TagSet": []})
    side.delete_object_tagging(Key="foo")


@case
def bad_xml(side):
    side.put_object(Key="foo", Body=b"bar")
    for body in (b"", b"<Tagging>", b"<Other/>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"):
        side.raw("PUT", "foo", body, query={"tagging": ""})
    side.get_object_tagging(Key="foo")
