"""Sections 1 and 3 of docs/FORMAT.md: the building blocks, and a message."""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16384
TAG = 16
HEADER = 56


class Refused(Exception):
    """The bytes are not what they should be; nothing of them is given out."""


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand of RFC 5869 with SHA-512, the key used directly as PRK."""
    out, last, count = b"", b"", 0
    while len(out) < length:
        count += 1
        last = hmac.digest(key, last + info + bytes([count]), hashlib.sha512)
        out += last
    return out[:length]


def checked_key(key: bytes) -> bytes:
    """A key of 32 bytes that are not all zero."""
    if len(key) != 32 or key == bytes(32):
        raise Refused("an unusable key")
    return key


def aead_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """AES-256-GCM; the tag comes last."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        raise Refused("a tag does not authenticate") from None


def message_length(plain: int) -> int:
    """Sealed bytes of a message of `plain` bytes."""
    return HEADER + plain + TAG * (plain // CHUNK + 1)


def open_message(dek: bytes, identity: bytes, salt: bytes, plain: int, sealed: bytes) -> bytes:
    """A whole message whose salt and plain length are known from index or trailer."""
    if len(sealed) != message_length(plain) or sealed[:24] != salt:
        raise Refused("a message is not the one that was written here")
    context = b"strongroom.v1.message" + identity
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = expand(dek, info, 76)
    key, base, commitment = derived[:32], derived[32:44], derived[44:]
    if not hmac.compare_digest(commitment, sealed[24:HEADER]):
        raise Refused("the message's commitment is another key's")
    out = bytearray()
    for number in range(plain // CHUNK + 1):
        start = HEADER + number * (CHUNK + TAG)
        count = bytes(4) + number.to_bytes(8, "big")
        nonce = bytes(a ^ b for a, b in zip(base, count, strict=True))
        out += aead_open(key, nonce, sealed[start : start + CHUNK + TAG])
    if len(out) != plain:
        raise Refused("a message has another length")
    return bytes(out)
