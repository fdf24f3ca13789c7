"""A strongroom process: start, wait until ready, look into its output, stop it as an operator would."""

import os
import pathlib
import re
import signal
import subprocess

import requests

from . import places
from .wait import until

_PANIC = re.compile(r"panicked at|stack overflow|RUST_BACKTRACE")


def clean_environment(**extra: str) -> dict[str, str]:
    """Nothing of the caller's AWS, proxy or certificate settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "RUST_BACKTRACE": "1", **extra}


class StrongroomProcess:
    """`strongroom ARGUMENTS`; standard output and error go to files in `folder`."""

    def __init__(self, folder: pathlib.Path, arguments: list[str], admin: str | None, **environment: str):
        self.folder, self.arguments, self.admin = folder, arguments, admin
        self.environment = environment
        self.secrets: list[str] = []
        self._child: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._child is not None and self._child.poll() is None

    def start(self, ready_within: float = 30.0):
        """Starts it and waits for /readyz."""
        self.spawn()
        until(self._is_ready, f"{self.arguments[0]} is ready", ready_within)
        return self

    def spawn(self):
        """Starts it and does not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "stdout", "ab") as out, open(self.folder / "stderr", "ab") as err:
            command = [str(places.strongroom()), *self.arguments]
            environment = clean_environment(**self.environment)
            self._child = subprocess.Popen(command, stdout=out, stderr=err, env=environment, cwd=self.folder)
        return self

    def _is_ready(self) -> bool:
        if not self.running:
            raise AssertionError(f"strongroom ended with {self._child.returncode}:\n{self.stderr()[-4000:]}")
        try:
            return requests.get(f"http://{self.admin}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def stdout(self) -> str:
        """Everything printed so far, over all starts."""
        return (self.folder / "stdout").read_text(errors="replace")

    def stderr(self) -> str:
        """Everything logged so far, over all starts."""
        return (self.folder / "stderr").read_text(errors="replace")

    def stop(self) -> None:
        """Ctrl-C; it must drain and exit with 0, never have panicked and never have logged a secret."""
        self._child.send_signal(signal.SIGINT)
        code = self._child.wait(timeout=30)
        assert code == 0, f"exit code {code} after SIGINT:\n{self.stderr()[-4000:]}"
        self.assert_healthy_logs()

    def kill(self) -> None:
        """kill -9."""
        self._child.kill()
        self._child.wait(timeout=10)

    def end(self) -> int:
        """Waits for it to end by itself; its exit code."""
        return self._child.wait(timeout=30)

    def assert_healthy_logs(self) -> None:
        """No panic and no secret anywhere in what the process wrote."""
        assert not _PANIC.search(self.stderr()), f"panic:\n{self.stderr()[-6000:]}"
        for file in self.log_files():
            text = file.read_text(errors="replace")
            for secret in self.secrets:
                assert secret not in text, f"a secret is in {file}"

    def log_files(self) -> list[pathlib.Path]:
        """Where nothing secret may stand."""
        return [self.folder / "stderr", *self.folder.glob("*.log"), *self.folder.glob("*.jsonl")]

    def peak_memory(self) -> int:
        """VmHWM in bytes: the most the process ever had resident."""
        return self._status("VmHWM")

    def memory(self) -> int:
        """VmRSS in bytes."""
        return self._status("VmRSS")

    def _status(self, field: str) -> int:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M).group(1)) * 1024

    def metrics(self) -> str:
        """The text of /metrics."""
        answer = requests.get(f"http://{self.admin}/metrics", timeout=10)
        assert answer.status_code == 200
        return answer.text
