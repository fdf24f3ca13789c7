"""What S3 calls ChecksumCRC32 and so on: base64 of the digest, by its name."""

import base64
import hashlib
import zlib

from awscrt import checksums as crt


def _b64(number: int, size: int) -> str:
    return base64.b64encode(number.to_bytes(size, "big")).decode()


ALGORITHMS = {
    "CRC32": lambda body: _b64(zlib.crc32(body), 4),
    "CRC32C": lambda body: _b64(crt.crc32c(body), 4),
    "CRC64NVME": lambda body: _b64(crt.crc64nvme(body), 8),
    "SHA1": lambda body: base64.b64encode(hashlib.sha1(body).digest()).decode(),
    "SHA256": lambda body: base64.b64encode(hashlib.sha256(body).digest()).decode(),
}
