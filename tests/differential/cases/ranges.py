"""Reads of a part of an object."""

from cases import case, cases


@cases(
    first_last=("bytes=4-7",),
    to_the_end=("bytes=4-",),
    suffix=("bytes=-7",),
    suffix_longer=("bytes=-70",),
    suffix_of_none=("bytes=-0",),
    one_byte=("bytes=0-0",),
    last_beyond=("bytes=4-70",),
    beyond=("bytes=40-50",),
    at_the_end=("bytes=11-",),
    backwards=("bytes=7-4",),
    several=("bytes=0-1,4-5",),
    other_unit=("lines=1-2",),
    nonsense=("bytes=abc",),
    spaces=("bytes= 4-7",),
    huge=("bytes=4-99999999999999999999",),
)
def of_eleven_bytes(side, text):
    side.put_object(Key="foo", Body=b"testcontent")
    side.raw("GET", "foo", headers={"Range": text})
    side.raw("HEAD", "foo", headers={"Range": text})


@case
def if_range(side):
    etag = side.put_object(Key="foo", Body=b"testcontent")["ETag"]
    for value in (etag, '"other"', "Sun, 06 Nov 1994 08:49:37 GMT"):
        side.raw("GET", "foo", headers={"Range": "bytes=4-7", "If-Range": value})


@case
def across_chunks(side):
    side.put_object(Key="foo", Body=bytes(range(256)) * 2048)
    for first, last in ((65_530, 65_540), (0, 131_071), (131_072, 131_072), (524_287, 600_000)):
        side.get_object(Key="foo", Range=f"bytes={first}-{last}")


@case
def part_numbers(side):
    side.put_object(Key="foo", Body=b"testcontent")
    for number in (1, 2, 0, 10_001):
        side.get_object(Key="foo", PartNumber=number)
        side.head_object(Key="foo", PartNumber=number)
    side.get_object(Key="foo", PartNumber=1, Range="bytes=0-1")
