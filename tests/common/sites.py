"""The raw view: the storage behind the proxy, reached without it."""

import dataclasses
import functools
import threading

import boto3
import botocore.config

_MAKING = threading.Lock()


@functools.lru_cache(maxsize=64)
def _cached(endpoint: str, access_key_id: str, secret_access_key: str, region: str):
    # Making a client costs 50 ms; the raw view is asked for after every test, for every key.
    return s3_client(
        endpoint,
        access_key_id,
        secret_access_key,
        region,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def s3_client(endpoint: str, access_key_id: str, secret_access_key: str, region: str, ca=None, **config):
    """A boto3 client that takes nothing from the environment."""
    s3 = {"addressing_style": "path", **config.pop("s3", {})}
    settings = botocore.config.Config(
        s3=s3,
        retries=config.pop("retries", {"max_attempts": 2, "mode": "standard"}),
        connect_timeout=5,
        read_timeout=config.pop("read_timeout", 60),
        max_pool_connections=32,
        proxies={},
        **config,
    )
    # It reads S3's model once; making clients is not for several threads at a time.
    with _MAKING:
        return _session().client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name=region,
            verify=str(ca) if ca else None,
            config=settings,
        )


@functools.cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


@dataclasses.dataclass(frozen=True)
class Site:
    """One S3 endpoint behind the proxy."""

    name: str
    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"
    bucket_prefix: str = ""

    def s3(self):
        """A boto3 client straight to the site, without the newer SDKs' default checksums (RGW 16 refuses them)."""
        return _cached(self.endpoint, self.access_key_id, self.secret_access_key, self.region)

    def through(self, endpoint: str) -> "Site":
        """The same site reached through another address (a fault injector)."""
        return dataclasses.replace(self, endpoint=endpoint)

    def raw_bucket(self, bucket: str) -> str:
        """The bucket's name at this site."""
        return self.bucket_prefix + bucket


def keys_of(s3, bucket: str) -> dict[str, dict]:
    """Every listed object of a bucket, by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}


def read(s3, bucket: str, key: str) -> bytes:
    """The whole object."""
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
