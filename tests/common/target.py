"""What a client test is pointed at: a proxy over some kind of site, or (--direct) a real S3 server itself."""

import dataclasses
import pathlib

from .proxy import ACCESS_KEY_ID, Proxy
from .sites import Site, s3_client


@dataclasses.dataclass(frozen=True)
class Target:
    """An S3 endpoint with a credential, and the raw sites behind it (none when it is not the proxy)."""

    backend: str
    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str
    ca: pathlib.Path | None
    sites: tuple[Site, ...]
    proxy: Proxy | None
    # Access key id and secret of somebody else.
    other: tuple[str, str] | None = None

    @property
    def tls(self) -> bool:
        """Whether clients speak TLS to it."""
        return self.ca is not None

    @property
    def authority(self) -> str:
        """host:port."""
        return self.endpoint.split("://")[1]

    def s3(self, **config):
        """A boto3 client with default settings but for what is given."""
        return s3_client(self.endpoint, self.access_key_id, self.secret_access_key, self.region, self.ca, **config)

    def as_other(self) -> "Target":
        """The same for somebody else."""
        access_key_id, secret_access_key = self.other
        return dataclasses.replace(self, access_key_id=access_key_id, secret_access_key=secret_access_key, other=None)


def of_proxy(proxy: Proxy, backend: str) -> Target:
    """The proxy as a target."""
    settings = proxy.settings
    return Target(
        backend,
        proxy.endpoint,
        ACCESS_KEY_ID,
        settings.secret_access_key,
        settings.region,
        settings.ca,
        tuple(settings.sites),
        proxy,
    )


def of_site(site: Site, backend: str, endpoint: str | None = None, ca: pathlib.Path | None = None) -> Target:
    """A real S3 server as the target, to try the tests themselves."""
    return Target(
        backend, endpoint or site.endpoint, site.access_key_id, site.secret_access_key, site.region, ca, (), None
    )
