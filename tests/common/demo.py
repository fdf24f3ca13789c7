"""`strongroom demo`: the proxy over two embedded sites, and a cheap source of raw sites for other tests."""

import pathlib
import re

from .ports import free_port
from .process import StrongroomProcess
from .sites import Site, s3_client
from .wait import until

PRINTED = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


class Demo(StrongroomProcess):
    """A running demo; `data` is its --dir."""

    def __init__(self, folder: pathlib.Path, data: pathlib.Path | None = None):
        self.data = data or folder / "data"
        self.port, self.admin_port = free_port(), free_port()
        self.primary_port, self.backup_port = free_port(), free_port()
        admin = f"127.0.0.1:{self.admin_port}"
        arguments = ["demo", "--dir", str(self.data), "--listen", f"127.0.0.1:{self.port}", "--admin", admin]
        arguments += ["--primary-port", str(self.primary_port), "--backup-port", str(self.backup_port)]
        super().__init__(folder, arguments, admin)

    def printed(self) -> dict[str, str]:
        """The variables it printed to paste; the last start counts."""

        def all_there():
            found = dict(re.findall(r"\b(AWS_[A-Z_]+)=[\"']?([^\s\"']+)", self.stdout()))
            return found if all(name in found for name in PRINTED) else None

        return until(all_there, "the demo printed what to paste", 10)

    def s3(self, **config):
        """A boto3 client of the demo's proxy, with what was printed."""
        shown = self.printed()
        return s3_client(
            shown["AWS_ENDPOINT_URL"],
            shown["AWS_ACCESS_KEY_ID"],
            shown["AWS_SECRET_ACCESS_KEY"],
            shown["AWS_REGION"],
            **config,
        )

    def sites(self) -> list[Site]:
        """The raw sites; they take the same credential."""
        shown = self.printed()
        ports = (("primary", self.primary_port), ("backup", self.backup_port))
        return [
            Site(name, f"http://127.0.0.1:{port}", shown["AWS_ACCESS_KEY_ID"], shown["AWS_SECRET_ACCESS_KEY"])
            for name, port in ports
        ]
