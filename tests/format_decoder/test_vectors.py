"""Every vector of tests/vectors, through the independent decoder."""

import base64
import hashlib
import json
import pathlib

import pytest
import trailer
import whole
from cobblestone import CHUNK, SUITES, Refused, message_keys, message_length
from keyring import open_blob

FOLDER = pathlib.Path(__file__).parent.parent / "vectors"
VECTORS = {
    f"{file.stem}-{name}": vector
    for file in sorted(FOLDER.glob("*.json"))
    for name, vector in json.loads(file.read_text()).items()
}


def splitmix(seed: int, length: int) -> bytes:
    """The recipe of tests/vectors/README.md."""
    mask, out = (1 << 64) - 1, bytearray()
    while len(out) < length:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        out += (z ^ z >> 31).to_bytes(8, "big")
    return bytes(out[:length])


def seal_message(dek: bytes, identity: bytes, salt: bytes, plain: bytes) -> bytes:
    """A message, written: only the large bodies of the vectors need it."""
    suite = SUITES[identity[0]]
    key, base, commitment = message_keys(suite, dek, identity, salt)
    out = [salt, commitment]
    for number in range(len(plain) // CHUNK + 1):
        nonce = int.from_bytes(base, "big") ^ number
        chunk = plain[number * CHUNK : (number + 1) * CHUNK]
        out.append(suite.seal(key, nonce.to_bytes(12, "big"), chunk))
    return b"".join(out)


def sealed_bytes(vector: dict) -> bytes:
    """Given, or made by the recipe."""
    if "body" not in vector:
        return base64.b64decode(vector["sealed"])
    body = vector["body"]
    identity = bytes([body["suite"]]) + bytes.fromhex(body["object_id"])
    messages = [
        seal_message(
            bytes.fromhex(body["dek"]), identity, bytes.fromhex(part["salt"]), splitmix(part["seed"], part["length"])
        )
        for part in body["parts"]
    ]
    sealed = b"".join(messages) + base64.b64decode(vector["footer"])
    assert hashlib.sha256(sealed).hexdigest() == vector["sealed_sha256"]
    return sealed


def decode(vector: dict) -> whole.Object:
    """With the vector's one vault key."""
    vault = vector["vault"]
    key = {(vault["id"], vault["version"]): bytes.fromhex(vault["key"])}
    find = lambda name, version: key.get((name, version))  # noqa: E731
    customer = bytes.fromhex(vector["customer_key"]) if "customer_key" in vector else None
    return whole.decode(sealed_bytes(vector), find, vector["bucket"], vector["key"], customer)


def run(vector: dict) -> None:
    """Raises Refused, or finds exactly what the vector says."""
    if vector["kind"] == "blob":
        root, label = bytes.fromhex(vector["root_key"]), vector["label"]
        assert open_blob(root, label, sealed_bytes(vector)).decode() == vector["plain"]
    elif vector["kind"] == "metadata":
        assert decode(vector).metadata(vector["value"]).decode() == vector["plain"]
    elif vector["kind"] == "lengths":
        for pair in vector["canonical"]:
            assert trailer.canonical(pair["plain"]) == pair["sealed"]
            assert trailer.plain_length(pair["sealed"]) == pair["plain"]
        assert all(trailer.plain_length(length) is None for length in vector["not_canonical"])
    else:
        found = decode(vector)
        assert hashlib.sha256(found.plain).hexdigest() == vector["plain_sha256"]
        assert (len(found.plain), found.etag) == (vector["plain_length"], vector["etag"])
        assert (found.clear.parts, found.secret.written_at) == (vector["parts"], vector["written_at"])
        if "metadata" in vector:
            assert found.metadata(vector["metadata"]["value"]).decode() == vector["metadata"]["plain"]


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_has_its_outcome(name):
    vector = VECTORS[name]
    if vector["expect"] == "ok":
        run(vector)
    else:
        with pytest.raises(Refused):
            run(vector)


def test_a_message_is_as_long_as_the_text_says():
    assert [message_length(plain) for plain in (0, 1, 16383, 16384)] == [72, 73, 16455, 16472]
