"""Section 8 of docs/FORMAT.md: the keyring."""

import json
import pathlib

from cobblestone import SUITES, Refused, checked_key

MAGIC = b"SRBLOB\x01\x00"


def open_blob(root: bytes, label: str, blob: bytes) -> bytes:
    """One sealed object of the keyring, under its own name."""
    if not blob.startswith(MAGIC) or len(blob) < len(MAGIC) + 24:
        raise Refused("not a sealed blob")
    salt, sealed = blob[8:32], blob[32:]
    key, nonce, _ = SUITES[1].derive(checked_key(root), b"strongroom.v1.blob" + salt)
    return SUITES[1].open(key, nonce, sealed, label.encode())


class Keyring:
    """Vault keys by name and version, of several copies the one with the highest serial."""

    def __init__(self, root: bytes):
        self._root = root
        self._documents = {}

    def add(self, name: str, blob: bytes) -> None:
        """The object `keyring/v1/NAME` of some site."""
        document = json.loads(open_blob(self._root, f"keyring/v1/{name}", blob))
        if document["format"] not in (1, 2) or document["id"] != name:
            raise Refused("a keyring document of another format or name")
        if document["serial"] > self._documents.get(name, {"serial": 0})["serial"]:
            self._documents[name] = document

    def add_folder(self, folder: pathlib.Path) -> None:
        """A folder of such objects, or one that has keyring/v1 in it."""
        inside = folder / "keyring" / "v1"
        for file in (inside if inside.is_dir() else folder).iterdir():
            if file.is_file():
                self.add(file.name, file.read_bytes())

    def find(self, name: str, version: int) -> bytes | None:
        """The key's 32 bytes; none of a key or version that is not enabled."""
        document = self._documents.get(name, {"versions": []})
        if document.get("state", "enabled") != "enabled":
            return None
        for entry in document["versions"]:
            if entry["version"] == version and entry["state"] == "enabled":
                return bytes.fromhex(entry["key"])
        return None
