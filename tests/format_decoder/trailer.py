"""Sections 4 and 5 of docs/FORMAT.md: the canonical length and the trailer."""

import dataclasses
import hmac

from cobblestone import SUITES, TAG, Refused, Suite, checked_key, message_length

LENGTH = 528
ENTRY = 84
MIN_PART = 5242880
MAX_OBJECT = 5 << 40
MAGIC = b"SRSEAL\x01\x00"
CHECKSUM_LENGTHS = {0: 0, 1: 4, 2: 4, 3: 8, 4: 20, 5: 32}


def canonical(plain: int) -> int:
    """C(P)."""
    return plain + 16 * (plain // 16384 + 1) + 684 + 160 * (plain // MIN_PART)


def plain_length(sealed: int) -> int | None:
    """The P of C(P), if there is one: C is strictly increasing."""
    low, high = 0, MAX_OBJECT
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if canonical(middle) < sealed else (low, middle)
    return low if canonical(low) == sealed else None


@dataclasses.dataclass
class Clear:
    """The fields that anybody can read."""

    flags: int
    identity: bytes
    plain: int
    parts: int
    index: int
    body: int
    salt: bytes
    commitment: bytes
    key_name: str
    key_version: int
    wraps: list[bytes]
    raw: bytes

    @property
    def suite(self) -> Suite:
        """What everything of the object is sealed with."""
        return SUITES[self.identity[0]]


@dataclasses.dataclass
class Secret:
    """The fields under the cipher."""

    md5: bytes
    checksum: tuple[int, int, bytes]
    first_salt: bytes
    written_at: int
    metadata_tag: bytes | None
    first_md5: bytes
    first_number: int
    customer_check: bytes | None


def parse(sealed: bytes) -> Clear:
    """Reads the clear fields of a whole object and checks them against each other."""
    if len(sealed) < LENGTH or not sealed.endswith(MAGIC):
        raise Refused("not a sealed object")
    t = sealed[-LENGTH:]
    number = lambda at, size: int.from_bytes(t[at : at + size], "big")  # noqa: E731
    if t[0] != 1 or t[1] not in SUITES or t[2] & ~7 or any(t[349:352]):
        raise Refused("a version, suite, flag or reserved byte of another format")
    wraps = [t[169 + 60 * n : 229 + 60 * n] for n in range(3)]
    name, filling = t[101 : 101 + t[100]], t[101 + t[100] : 165]
    if not 1 <= t[3] <= 3 or any(b"".join(wraps[t[3] :])) or not 1 <= t[100] <= 64 or any(filling):
        raise Refused("wraps or the key's name")
    if any(c not in b"abcdefghijklmnopqrstuvwxyz0123456789._-" for c in name):
        raise Refused("the key's name")
    clear = Clear(
        flags=t[2],
        identity=t[1:2] + t[4:20],
        plain=number(20, 8),
        parts=number(28, 4),
        index=number(32, 4),
        body=number(36, 8),
        salt=t[44:68],
        commitment=t[68:100],
        key_name=name.decode(),
        key_version=number(165, 4),
        wraps=wraps[: t[3]],
        raw=t,
    )
    index = ENTRY * clear.parts + TAG if clear.parts > 1 else 0
    if clear.plain > MAX_OBJECT or len(sealed) != canonical(clear.plain):
        raise Refused("the length is no C(P) of what it says")
    if not 1 <= clear.parts <= 10000 or clear.index != index or clear.body + index + LENGTH > len(sealed):
        raise Refused("the lengths contradict each other")
    if clear.parts == 1 and clear.body != message_length(clear.plain):
        raise Refused("the body's length")
    if clear.parts > 1 and not clear.flags & 1 or clear.key_version < 1:
        raise Refused("flags or the key's version")
    return clear


def unwrap(clear: Clear, vault_key: bytes) -> bytes:
    """The DEK, from the first wrap that opens."""
    key = clear.suite.expand(checked_key(vault_key), b"strongroom.v1.wrap" + clear.identity, clear.suite.key)
    name = clear.key_name.encode()
    associated = bytes([len(name)]) + name + clear.key_version.to_bytes(4, "big")
    for wrap in clear.wraps:
        try:
            return checked_key(clear.suite.open(key, wrap[:12], wrap[12:], associated))
        except Refused:
            continue
    raise Refused("no wrap opens")


def open_secret(clear: Clear, dek: bytes, bucket: str, key: str) -> Secret:
    """Opens the sealed part for exactly this bucket and key."""
    info = b"strongroom.v1.trailer" + clear.identity + clear.salt
    secret_key, nonce, commitment = clear.suite.derive(dek, info)
    if not hmac.compare_digest(commitment, clear.commitment):
        raise Refused("the trailer's commitment is another key's")
    associated = clear.raw[:352]
    for name in (bucket.encode(), key.encode()):
        associated += len(name).to_bytes(2, "big") + name
    s = clear.suite.open(secret_key, nonce, clear.raw[352:520], associated)
    algorithm, kind, value = s[16], s[17], s[18:50]
    if algorithm not in CHECKSUM_LENGTHS or kind > 2 or (algorithm == 0) != (kind == 0):
        raise Refused("a checksum of another format")
    number = int.from_bytes(s[114:116], "big")
    if any(value[CHECKSUM_LENGTHS[algorithm] :]) or any(s[148:]) or not 1 <= number <= 10000:
        raise Refused("the sealed part contradicts itself")
    if not clear.flags & 2 and any(s[82:98]):
        raise Refused("a metadata tag without its flag")
    if (clear.flags & 4 != 0) != any(s[116:148]):
        raise Refused("the flag and the check of a customer's key contradict each other")
    return Secret(
        md5=s[:16],
        checksum=(algorithm, kind, value[: CHECKSUM_LENGTHS[algorithm]]),
        first_salt=s[50:74],
        written_at=int.from_bytes(s[74:82], "big"),
        metadata_tag=s[82:98] if clear.flags & 2 else None,
        first_md5=s[98:114],
        first_number=number,
        customer_check=s[116:148] if clear.flags & 4 else None,
    )


def content_key(clear: Clear, secret: Secret, dek: bytes, customer_key: bytes | None) -> bytes:
    """What the messages are under: the DEK, or a key that takes the customer's as well."""
    if secret.customer_check is None and customer_key is None:
        return dek
    if secret.customer_check is None or customer_key is None:
        raise Refused("a customer's key is missing, or there is none")
    info = clear.identity + checked_key(customer_key)
    check = clear.suite.expand(dek, b"strongroom.v1.customer-check" + info, 32)
    if not hmac.compare_digest(check, secret.customer_check):
        raise Refused("another customer's key")
    return checked_key(clear.suite.expand(dek, b"strongroom.v1.customer" + info, 32))
