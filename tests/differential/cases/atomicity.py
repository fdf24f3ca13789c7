"""Many requests at once: nobody reads a mixture."""

import concurrent.futures

from cases import case
from common.wire import read_answer


@case
def writers_of_one_key(side):
    bodies = [bytes([letter]) * (1 << 20) for letter in b"AB"]
    with concurrent.futures.ThreadPoolExecutor(4) as several:
        list(several.map(lambda body: side.s3.put_object(Bucket=side.bucket, Key="foo", Body=body), bodies * 4))
    read = side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"].read()
    side.note(whole=read in bodies)


@case
def reader_and_writer(side):
    bodies = [bytes([letter]) * (1 << 20) for letter in b"AB"]
    side.s3.put_object(Bucket=side.bucket, Key="foo", Body=bodies[0])

    def once(index):
        if index % 2:
            side.s3.put_object(Bucket=side.bucket, Key="foo", Body=bodies[index // 2 % 2])
            return True
        return side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"].read() in bodies

    with concurrent.futures.ThreadPoolExecutor(4) as several:
        side.note(whole=all(several.map(once, range(16))))


@case
def many_keys(side):
    keys = [f"k{index:02}" for index in range(24)]
    with concurrent.futures.ThreadPoolExecutor(8) as several:
        list(several.map(lambda key: side.s3.put_object(Bucket=side.bucket, Key=key, Body=key.encode()), keys))
    side.list_objects_v2()
    with concurrent.futures.ThreadPoolExecutor(8) as several:
        list(several.map(lambda key: side.s3.delete_object(Bucket=side.bucket, Key=key), keys))
    side.list_objects_v2()


@case
def overwritten_while_it_is_read(side):
    old, new = (bytes([letter]) * (8 << 20) for letter in b"AB")
    side.s3.put_object(Bucket=side.bucket, Key="foo", Body=old)
    body = side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"]
    start = body.read(1 << 20)
    side.s3.put_object(Bucket=side.bucket, Key="foo", Body=new)
    side.note(whole=start + body.read() == old)
    side.note(now=side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"].read() == new)


@case
def written_while_it_is_written(side):
    slow, quick = b"A" * (1 << 20), b"B" * (1 << 20)
    with side.wire.connect() as connection:
        headers = {"Content-Length": str(len(slow))}
        head = side.wire.head("PUT", f"/{side.bucket}/foo", headers=headers, payload="UNSIGNED-PAYLOAD")
        connection.sendall(head + slow[: 1 << 19])
        side.s3.put_object(Bucket=side.bucket, Key="foo", Body=quick)
        side.note(meanwhile=side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"].read() == quick)
        connection.sendall(slow[1 << 19 :])
        side.note(status=read_answer(connection, "PUT").status)
    side.note(now=side.s3.get_object(Bucket=side.bucket, Key="foo")["Body"].read() == slow)


@case
def removed_while_it_is_written(side):
    with side.wire.connect() as connection:
        head = side.wire.head("PUT", f"/{side.bucket}/foo", headers={"Content-Length": "6"}, payload="UNSIGNED-PAYLOAD")
        connection.sendall(head + b"abc")
        side.delete_object(Key="foo")
        connection.sendall(b"def")
        side.note(status=read_answer(connection, "PUT").status)
    side.get_object(Key="foo")
