"""Sections 6, 7 and 9 of docs/FORMAT.md: the index, sealed metadata, and a whole object."""

import base64
import binascii
import dataclasses
import re

import trailer
from cobblestone import Refused, message_length, open_message


@dataclasses.dataclass
class Part:
    """One part's entry in the index."""

    plain: int
    salt: bytes
    md5: bytes
    number: int


@dataclasses.dataclass
class Object:
    """An object that authenticated as a whole."""

    plain: bytes
    clear: trailer.Clear
    secret: trailer.Secret
    dek: bytes

    @property
    def etag(self) -> str:
        """As a client sees it, without quotes."""
        return self.secret.md5.hex() + (f"-{self.clear.parts}" if self.clear.flags & 1 else "")

    def metadata(self, value: str) -> bytes:
        """The JSON of the header x-amz-meta-strongroom."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
            raise Refused("the metadata is not base64url")
        try:
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except binascii.Error:
            raise Refused("the metadata is not base64url") from None
        if len(raw) < 41 or raw[0] != 1 or raw[-16:] != self.secret.metadata_tag:
            raise Refused("the metadata of another version")
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != value:
            raise Refused("the metadata is not canonical base64url")
        info = b"strongroom.v1.metadata" + self.clear.identity + raw[1:25]
        key, nonce, _ = self.clear.suite.derive(self.dek, info)
        return self.clear.suite.open(key, nonce, raw[25:])


def decode(sealed: bytes, find_key, bucket: str, key: str, customer_key: bytes | None = None) -> Object:
    """Everything, or Refused. `find_key(name, version)` brings the 32 bytes of a vault key, or None."""
    clear = trailer.parse(sealed)
    vault_key = find_key(clear.key_name, clear.key_version)
    if vault_key is None:
        raise Refused(f"no vault key {clear.key_name} version {clear.key_version}")
    dek = trailer.unwrap(clear, vault_key)
    secret = trailer.open_secret(clear, dek, bucket, key)
    if any(sealed[clear.body + clear.index : -trailer.LENGTH]):
        raise Refused("the padding is not zero")
    content = trailer.content_key(clear, secret, dek, customer_key)
    plain, at = b"", 0
    for part in parts(clear, secret, dek, sealed):
        end = at + message_length(part.plain)
        plain += open_message(content, clear.identity, part.salt, part.plain, sealed[at:end])
        at = end
    return Object(plain, clear, secret, dek)


def parts(clear: trailer.Clear, secret: trailer.Secret, dek: bytes, sealed: bytes) -> list[Part]:
    """The parts, and that they make up this object."""
    if clear.parts == 1:
        return [Part(clear.plain, secret.first_salt, secret.first_md5, secret.first_number)]
    key, nonce, _ = clear.suite.derive(dek, b"strongroom.v1.index" + clear.identity + clear.salt)
    index = clear.suite.open(key, nonce, sealed[clear.body : clear.body + clear.index])
    found = [entry(index[at : at + trailer.ENTRY]) for at in range(0, len(index), trailer.ENTRY)]
    numbers = [part.number for part in found]
    if numbers != sorted(set(numbers)) or found[0].salt != secret.first_salt:
        raise Refused("the index is not this trailer's")
    if any(part.plain < trailer.MIN_PART for part in found[:-1]):
        raise Refused("a part but the last is too small")
    if sum(part.plain for part in found) != clear.plain:
        raise Refused("the parts do not add up to the object")
    if sum(message_length(part.plain) for part in found) != clear.body:
        raise Refused("the messages do not add up to the body")
    return found


def entry(raw: bytes) -> Part:
    """84 bytes."""
    number, algorithm = int.from_bytes(raw[48:50], "big"), raw[50]
    if not 1 <= number <= 10000 or raw[51] or algorithm not in trailer.CHECKSUM_LENGTHS:
        raise Refused("an index entry of another format")
    if any(raw[52 + trailer.CHECKSUM_LENGTHS[algorithm] :]):
        raise Refused("a checksum longer than its algorithm")
    return Part(int.from_bytes(raw[:8], "big"), raw[8:32], raw[32:48], number)
