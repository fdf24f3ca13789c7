"""`strongroom serve` over a pair of sites, with a configuration made for one test."""

import dataclasses
import json
import os
import pathlib
import secrets
import subprocess

from . import places
from .certs import Pair
from .logs import AccessLog, Events
from .ports import free_port
from .process import StrongroomProcess, clean_environment
from .sites import Site, s3_client

ACCESS_KEY_ID = "AKSTRONGROOMTEST"


def _suites() -> dict:
    """`STRONGROOM_TEST_SUITE=sm4-gcm` runs every test that does not choose for itself with that suite."""
    first = os.environ.get("STRONGROOM_TEST_SUITE")
    return {"write": sorted(["aes-256-gcm", "sm4-gcm"], key=lambda suite: suite != first)} if first else {}


@dataclasses.dataclass
class Settings:
    """What a test may choose about its proxy."""

    sites: list[Site]
    tls: Pair | None = None
    ca: pathlib.Path | None = None
    replication: str = "tee"
    system_bucket: str = dataclasses.field(default_factory=lambda: f"system-{secrets.token_hex(6)}")
    root_key: str = dataclasses.field(default_factory=lambda: secrets.token_hex(32))
    # Files of others, which may not be there; those of `other_envelopes` hold them wrapped.
    other_roots: list[str] = dataclasses.field(default_factory=list)
    other_envelopes: list[str] = dataclasses.field(default_factory=list)
    # The root's envelope, instead of its file, and who opens it.
    envelope: str | None = None
    custodians: list[dict] = dataclasses.field(default_factory=list)
    keys: dict = dataclasses.field(default_factory=dict)
    secret_access_key: str = dataclasses.field(default_factory=lambda: secrets.token_urlsafe(30))
    limits: dict = dataclasses.field(default_factory=dict)
    uploads: dict = dataclasses.field(default_factory=dict)
    listen: dict = dataclasses.field(default_factory=dict)
    site_options: dict = dataclasses.field(default_factory=dict)
    log_level: str = "info"
    region: str = "us-east-1"
    domain: str | None = None
    # Of a PostgreSQL, instead of a folder.
    database: str | None = None
    state: dict = dataclasses.field(default_factory=dict)
    rule: dict = dataclasses.field(default_factory=dict)
    # Before that one.
    rules: list[dict] = dataclasses.field(default_factory=list)
    worker: dict = dataclasses.field(default_factory=dict)
    suites: dict = dataclasses.field(default_factory=_suites)
    # Access key id and secret at every site of the tests' own credential, where it is a user of its own there.
    user: tuple[str, str] | None = None
    # Further credentials, the same here and at every site: name to access key id and secret.
    others: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)


def _value(value) -> str:
    # JSON's strings, numbers and booleans are TOML's too.
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_value(one)}' for key, one in value.items())} }}"
    return json.dumps(value)


def _table(name: str, values: dict) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join([name, *lines, ""])


def _private(path: pathlib.Path, text: str) -> pathlib.Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class Proxy(StrongroomProcess):
    """A configured proxy; `folder` holds all its files."""

    def __init__(self, folder: pathlib.Path, settings: Settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.port, self.admin_port = free_port(), free_port()
        self.config = folder / "strongroom.toml"
        super().__init__(folder, ["serve", "--config", str(self.config)], f"127.0.0.1:{self.admin_port}")
        self.secrets = [settings.root_key, settings.secret_access_key, *(keys[1] for keys in settings.others.values())]
        self.access_log = AccessLog(folder / "access.log")
        self.events = Events(folder / "events.jsonl")
        self.write_config()

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self.settings.tls else "http"

    @property
    def endpoint(self) -> str:
        """What a client is pointed at."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def write_config(self) -> None:
        """(Re)writes every file the proxy reads."""
        settings = self.settings
        _private(self.folder / "root.key", settings.root_key + "\n")
        credentials = [self._credential("tests", (ACCESS_KEY_ID, settings.secret_access_key), settings.user)]
        credentials += [self._credential(name, keys, keys) for name, keys in settings.others.items()]
        _private(self.folder / "credentials.toml", "\n".join(credentials))
        top = {"region": settings.region, "system_bucket": settings.system_bucket}
        if settings.domain:
            top["domain"] = settings.domain
        tables = [
            _table("", top),
            _table("[listen]", {"address": f"127.0.0.1:{self.port}", "admin": self.admin, **settings.listen}),
            _table("[state]", self._state()),
            _table("[credentials]", {"file": str(self.folder / "credentials.toml")}),
            self._keys(),
            _table("[log]", self._log()),
            _table("[replication]", {"retry_min": "100ms", "retry_max": "1s", **settings.worker}),
            _table("[limits]", settings.limits),
            _table("[uploads]", settings.uploads),
            _table("[suites]", settings.suites),
            *(_table("[[rule]]", rule) for rule in settings.rules),
            _table("[[rule]]", self._rule()),
        ]
        if settings.tls:
            pair = {"certificate": str(settings.tls.certificate), "key": str(settings.tls.key)}
            tables.append(_table("[tls]", pair))
        tables += [self._site(index, site) for index, site in enumerate(settings.sites)]
        self.config.write_text("\n".join(tables))

    def _credential(self, name: str, here: tuple[str, str], there: tuple[str, str] | None) -> str:
        fields = ("access_key_id", "secret_access_key")
        tables = [_table("[[credential]]", {"name": name, **dict(zip(fields, here, strict=True))})]
        for site in self.settings.sites if there else []:
            tables.append(_table(f"[credential.at.{site.name}]", dict(zip(fields, there, strict=True))))
        return "\n".join(tables)

    def _keys(self) -> str:
        files = [f"{{ file = {json.dumps(str(file))} }}" for file in (self.folder / "root.key", *self.settings.other_roots)]
        given = files[1:] + [f"{{ envelope = {json.dumps(str(file))} }}" for file in self.settings.other_envelopes]
        others = f"other_roots = [{', '.join(given)}]\n" if given else ""
        envelope = self.settings.envelope
        root = f"{{ envelope = {json.dumps(envelope)} }}" if envelope else files[0]
        custodians = [_table("[[keys.custodian]]", custodian) for custodian in self.settings.custodians]
        return "\n".join([f"[keys]\nroot = {root}\n{others}", _table("", self.settings.keys), *custodians])

    def _state(self) -> dict:
        if self.settings.database:
            return {"url": self.settings.database, "lease": "4s", **self.settings.state}
        return {"folder": str(self.folder / "state"), **self.settings.state}

    def _rule(self) -> dict:
        settings = self.settings
        return {"name": "all", "match": "**", "key": "main", "replication": settings.replication, **settings.rule}

    def _log(self) -> dict:
        return {
            "access": str(self.access_log.path),
            "events": str(self.events.path),
            "level": self.settings.log_level,
            "format": "json",
        }

    def _site(self, index: int, site: Site) -> str:
        secret = _private(self.folder / f"{site.name}.secret", site.secret_access_key + "\n")
        values = {
            "name": site.name,
            "role": "backup" if index else "primary",
            "endpoint": site.endpoint,
            "region": site.region,
            "access_key_id": site.access_key_id,
            "secret_access_key_file": str(secret),
            "bucket_prefix": site.bucket_prefix,
            **self.settings.site_options,
        }
        return _table("[[site]]", values)

    def s3(self, **config):
        """A boto3 client of the proxy."""
        settings = self.settings
        return s3_client(
            self.endpoint, ACCESS_KEY_ID, settings.secret_access_key, settings.region, settings.ca, **config
        )


def strongroom(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """Runs one of the short commands."""
    command = [str(places.strongroom()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_environment(**environment))
    assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
