"""Sections 1 and 3 of docs/FORMAT.md: the building blocks, and a message."""

import dataclasses
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHUNK = 16384
TAG = 16
HEADER = 56


class Refused(Exception):
    """The bytes are not what they should be; nothing of them is given out."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """A row of the table of suites."""

    cipher: type
    key: int
    hash: hashes.HashAlgorithm
    name: bytes

    def expand(self, key: bytes, info: bytes, length: int) -> bytes:
        """HKDF-Expand of RFC 5869, the key used directly as PRK."""
        return HKDFExpand(self.hash, length, info).derive(key)

    def derive(self, key: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
        """A key, a nonce, and a commitment behind them."""
        out = self.expand(key, info, self.key + 44)
        return out[: self.key], out[self.key : self.key + 12], out[self.key + 12 :]

    def open(self, key: bytes, nonce: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
        """The AEAD; the tag comes last."""
        if len(sealed) < TAG:
            raise Refused("shorter than a tag")
        opening = Cipher(self.cipher(key), modes.GCM(nonce, sealed[-TAG:])).decryptor()
        opening.authenticate_additional_data(associated)
        try:
            return opening.update(sealed[:-TAG]) + opening.finalize()
        except InvalidTag:
            raise Refused("a tag does not authenticate") from None

    def seal(self, key: bytes, nonce: bytes, plain: bytes) -> bytes:
        """Only the large bodies of the vectors need it."""
        sealing = Cipher(self.cipher(key), modes.GCM(nonce)).encryptor()
        return sealing.update(plain) + sealing.finalize() + sealing.tag


SUITES = {
    1: Suite(algorithms.AES256, 32, hashes.SHA512(), b"AEAD_AES_256_GCM"),
    2: Suite(algorithms.SM4, 16, hashes.SM3(), b"AEAD_SM4_GCM"),
}


def checked_key(key: bytes) -> bytes:
    """A key of 32 bytes that are not all zero."""
    if len(key) != 32 or key == bytes(32):
        raise Refused("an unusable key")
    return key


def message_length(plain: int) -> int:
    """Sealed bytes of a message of `plain` bytes."""
    return HEADER + plain + TAG * (plain // CHUNK + 1)


def message_keys(suite: Suite, dek: bytes, identity: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, base nonce and commitment."""
    context = b"strongroom.v1.message" + identity
    return suite.derive(dek, b"c2sp.org/chunked-encryption@v1+" + suite.name + b"\0" + salt + context)


def open_message(dek: bytes, identity: bytes, salt: bytes, plain: int, sealed: bytes) -> bytes:
    """A whole message whose salt and plain length are known from index or trailer."""
    if len(sealed) != message_length(plain) or sealed[:24] != salt:
        raise Refused("a message is not the one that was written here")
    suite = SUITES[identity[0]]
    key, base, commitment = message_keys(suite, dek, identity, salt)
    if not hmac.compare_digest(commitment, sealed[24:HEADER]):
        raise Refused("the message's commitment is another key's")
    out = bytearray()
    for number in range(plain // CHUNK + 1):
        start = HEADER + number * (CHUNK + TAG)
        count = bytes(4) + number.to_bytes(8, "big")
        nonce = bytes(a ^ b for a, b in zip(base, count, strict=True))
        out += suite.open(key, nonce, sealed[start : start + CHUNK + TAG])
    if len(out) != plain:
        raise Refused("a message has another length")
    return bytes(out)
