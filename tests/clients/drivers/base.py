"""What every driver can do."""

import abc
import os
import pathlib
import shutil
import subprocess

from common import places
from common.target import Target


class CommandFailed(AssertionError):
    """A client ended with an error."""


class Client:
    """One real client, pointed at one target. `folder` is its own: configuration, home, temporary files."""

    def __init__(self, target: Target, folder: pathlib.Path):
        self.target, self.folder = target, folder
        folder.mkdir(parents=True, exist_ok=True)


class Program(Client):
    """A client that is a command."""

    program: str

    def environment(self) -> dict[str, str]:
        """All the client sees: nothing of the caller's settings, certificates least of all."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = f"{places.VENV_BIN}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC", "no_proxy": "*"}

    def run(self, *arguments, timeout: float = 240) -> str:
        """Runs the client; its standard output and error."""
        done = self._done(arguments, timeout, stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace")

    def output(self, *arguments, given: pathlib.Path | None = None, timeout: float = 240) -> bytes:
        """Runs the client with a file as its standard input; its standard output, which may be any bytes."""
        with open(given or os.devnull, "rb") as stdin:
            return self._done(arguments, timeout, stdin=stdin, stderr=subprocess.PIPE).stdout

    def _done(self, arguments, timeout: float, stdin=subprocess.DEVNULL, **streams) -> subprocess.CompletedProcess:
        program = shutil.which(self.program, path=str(places.VENV_BIN)) or self.program
        command = [program, *map(str, arguments)]
        options = {"env": self.environment(), "cwd": self.folder, "timeout": timeout}
        done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, **streams, **options)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode(errors="replace")
            raise CommandFailed(f"{' '.join(command)}\nexit code {done.returncode}\n{said[-4000:]}")
        return done


class Driver(Client, abc.ABC):
    """A client of the everyday verbs."""

    name: str
    # What the client cannot do, said once here; a test that needs it is skipped for this client by name.
    presigns = True
    copies_content_type = True

    @abc.abstractmethod
    def put(self, source: pathlib.Path, bucket: str, key: str, content_type=None, metadata=None) -> None:
        """Uploads one file."""

    @abc.abstractmethod
    def get(self, bucket: str, key: str, destination: pathlib.Path) -> None:
        """Downloads one object."""

    @abc.abstractmethod
    def sizes(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Size by key, as the client lists it."""

    @abc.abstractmethod
    def copy(self, bucket: str, key: str, to_bucket: str, to_key: str) -> None:
        """Copies at the server."""

    @abc.abstractmethod
    def delete(self, bucket: str, key: str) -> None:
        """Deletes one object."""

    @abc.abstractmethod
    def sync_up(self, folder: pathlib.Path, bucket: str, prefix: str) -> int:
        """Syncs a folder to a prefix; how many files the client says it transferred."""

    @abc.abstractmethod
    def sync_down(self, bucket: str, prefix: str, folder: pathlib.Path) -> int:
        """Syncs a prefix to a folder; how many files the client says it transferred."""

    def presign(self, bucket: str, key: str) -> str:
        """A URL that gives the object to anybody for a while."""
        raise NotImplementedError


class CommandDriver(Program, Driver):
    """A driver that is a command."""
