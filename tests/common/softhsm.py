"""SoftHSM2, the software token of OpenDNSSEC: a token of a test's own, and its keys, made with the tools that operators use (softhsm2-util, pkcs11-tool)."""

import functools
import os
import pathlib
import secrets
import shutil
import subprocess

from .process import clean_environment

LABEL = "strongroom"


@functools.cache
def module() -> pathlib.Path:
    """The library."""
    places = [*pathlib.Path("/usr/lib").glob("softhsm/libsofthsm2.so"), *pathlib.Path("/usr/lib").glob("*/softhsm/libsofthsm2.so")]
    assert places and shutil.which("softhsm2-util") and shutil.which("pkcs11-tool"), "SoftHSM2 is missing: apt-get install softhsm2 opensc"
    return places[0]


class Token:
    """A token. What uses it needs `environment`."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.pin, self.so_pin = folder, secrets.token_hex(8), secrets.token_hex(8)
        (folder / "tokens").mkdir(parents=True)
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        self._run("softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", self.pin, "--so-pin", self.so_pin)

    def make_key(self, label: str = "root", key_id: str = "01", *, bits: int = 256, flags: tuple[str, ...] = ("--sensitive", "--private")) -> None:
        """An AES key."""
        self._tool("--keygen", "--key-type", f"AES:{bits // 8}", "--label", label, "--id", key_id, *flags)

    def delete_key(self, label: str = "root") -> None:
        self._tool("--delete-object", "--type", "secrkey", "--label", label)

    def change_pin(self, pin: str) -> None:
        self._run("pkcs11-tool", "--module", str(module()), "--token-label", LABEL, "--login", "--pin", self.pin, "--change-pin", "--new-pin", pin)
        self.pin = pin

    def wrong_pins(self) -> bool:
        """Whether a PIN was wrong since the last one that was right."""
        return "user PIN count low" in self._run("pkcs11-tool", "--module", str(module()), "--list-slots")

    def remove(self) -> None:
        """As if somebody pulled it out."""
        (self.folder / "tokens").rename(self.folder / "away")

    def insert(self) -> None:
        (self.folder / "away").rename(self.folder / "tokens")

    def custodian(self, folder: pathlib.Path, name: str = "hsm", **settings) -> dict:
        """A custodian that uses its key `root`; the PIN lies in a file."""
        file = folder / f"{name}.pin"
        write_pin(file, self.pin)
        return {"name": name, "kind": "pkcs11", "module": str(module()), "token_label": LABEL, "key_label": "root", "pin_file": str(file), **settings}

    def _tool(self, *arguments: str) -> str:
        return self._run("pkcs11-tool", "--module", str(module()), "--token-label", LABEL, "--login", "--pin", self.pin, *arguments)

    def _run(self, *command: str) -> str:
        module()
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(**self.environment), check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def write_pin(file: pathlib.Path, pin: str) -> None:
    """In the place of the one before."""
    beside = file.with_suffix(".new")
    os.close(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600))
    beside.write_text(pin + "\n")
    beside.rename(file)
