"""Bodies in `aws-chunked` form, signed, unsigned, with trailers; and with faults."""

from cases import case, cases
from common.checksums import ALGORITHMS
from common.wire import STREAMING, UNSIGNED_TRAILER


@cases(
    right=({},),
    wrong_signature=({"wrong": 1},),
    wrong_last_signature=({"wrong": 2},),
    cut=({"cut": True},),
    declared_more=({"declared": 70_000 * 2 + 1},),
    declared_less=({"declared": 10},),
    without_its_end=({"end": False},),
)
def signed(side, faults):
    side.answered("PUT", side.wire.chunked(f"/{side.bucket}/foo", [b"a" * 70_000, b"b" * 70_000], **dict(faults)))
    side.head_object(Key="foo")


def _trailed(side, body, headers):
    sent = {"Content-Encoding": "aws-chunked", "Content-Length": str(len(body)), **headers}
    head = side.wire.head("PUT", f"/{side.bucket}/foo", headers=sent, payload=UNSIGNED_TRAILER)
    side.answered("PUT", side.wire.raw(head + body, "PUT"))
    side.head_object(Key="foo", ChecksumMode="ENABLED")


@case
def with_a_trailer(side):
    checksum = ALGORITHMS["CRC32"](b"hello")
    trailer = f"x-amz-checksum-crc32:{checksum}\r\n".encode()
    told = {"x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
    _trailed(side, b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n", told)


@case
def with_a_wrong_trailer(side):
    told = {"x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
    _trailed(side, b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", told)


@case
def without_the_decoded_length(side):
    headers = {"Content-Encoding": "aws-chunked", "Content-Length": "5"}
    head = side.wire.head("PUT", f"/{side.bucket}/foo", headers=headers, payload=STREAMING)
    side.answered("PUT", side.wire.raw(head + b"hello", "PUT"))


@case
def other_encodings_are_kept(side):
    side.raw("PUT", "foo", b"bar", headers={"Content-Encoding": "gzip,aws-chunked"})
    side.raw("HEAD", "foo")
    side.raw("PUT", "foo", b"bar", headers={"Content-Encoding": "aws-chunked"})
    side.raw("HEAD", "foo")


@case
def of_transfer_encoding(side):
    head = side.wire.head("PUT", f"/{side.bucket}/foo", headers={"Transfer-Encoding": "chunked"}, payload="UNSIGNED-PAYLOAD")
    side.answered("PUT", side.wire.raw(head + b"3\r\nbar\r\n0\r\n\r\n", "PUT"))
