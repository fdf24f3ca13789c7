"""The arithmetic of the sealed object (design note 3), written here a second time on purpose."""

import hashlib

FIVE_MIB = 5 * 1024 * 1024
CHUNK = 16384
FIXED = 684
RESERVE = 160


def canonical_length(plain: int) -> int:
    """C(P): bytes of the sealed object that holds `plain` bytes."""
    return plain + 16 * (plain // CHUNK + 1) + FIXED + RESERVE * (plain // FIVE_MIB)


def betrayals(sealed: bytes, plain: bytes) -> list[str]:
    """What of the plaintext shows in the sealed bytes: samples of it, or its MD5 in any form."""
    found = []
    if len(plain) >= 16:
        middle = len(plain) // 2
        for name, sample in (("start", plain[:16]), ("middle", plain[middle:][:16]), ("end", plain[-16:])):
            # Sixteen equal bytes may be padding; anything else cannot be there by chance.
            if len(sample) == 16 and len(set(sample)) > 1 and sample in sealed:
                found.append(f"plaintext of the {name}")
    md5 = hashlib.md5(plain)
    for name, trace in (("MD5", md5.digest()), ("hex MD5", md5.hexdigest().encode())):
        if trace in sealed:
            found.append(name)
    return found


def message_salt(sealed: bytes) -> bytes:
    """Salt of message 1: the first 24 bytes of every object."""
    return sealed[:24]
