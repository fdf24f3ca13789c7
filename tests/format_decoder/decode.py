"""Decodes one object: see README.md."""

import argparse
import pathlib
import sys

from cobblestone import Refused
from keyring import Keyring
from whole import decode


def main() -> int:
    """Exit code 1 and nothing on standard output when the object is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root-key", type=pathlib.Path, required=True)
    parser.add_argument("--keyring", type=pathlib.Path, required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--metadata")
    parser.add_argument("--customer-key", type=pathlib.Path, help="a file of 64 hex digits")
    parser.add_argument("object", type=pathlib.Path)
    options = parser.parse_args()
    try:
        keys = Keyring(bytes.fromhex(options.root_key.read_text().strip()))
        keys.add_folder(options.keyring)
        customer = options.customer_key and bytes.fromhex(options.customer_key.read_text().strip())
        found = decode(options.object.read_bytes(), keys.find, options.bucket, options.key, customer)
        if options.metadata:
            print(found.metadata(options.metadata).decode(), file=sys.stderr)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(found.plain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
