"""The storages by name, and what each of them needs.

All object stores speak S3's protocol with Signature Version 4; they differ in host, style (the
bucket in the path, or in front of the host) and region of the signature:

- ``s3``, Amazon: https://docs.aws.amazon.com/general/latest/gr/s3.html. With an endpoint of its own
  it is any other store that speaks S3.
- ``qiniu``, Kodo: https://developer.qiniu.com/kodo/4088/s3-access-domainname. It serves nobody
  without a signature, and has both styles. Its older names of regions are taken, too.
- ``tencent``, COS: https://www.tencentcloud.com/document/product/436/32537. Buckets since 2024 are
  reached in front of the host only.
- ``aliyun``, OSS: https://www.alibabacloud.com/help/en/oss/developer-reference/
  use-amazon-s3-sdks-to-access-oss. In front of the host only; the region is signed without ``oss-``
  (https://www.alibabacloud.com/help/en/oss/support/0002-00000226).
- ``r2``, Cloudflare: https://developers.cloudflare.com/r2/api/s3/api/. The host has the account.
- ``minio``: a server of the operator's.

An address has no bucket in front of it, and a certificate for ``*.host`` covers no bucket with a
dot, so these have the path style unless the operator says otherwise.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping

import attrs
from yarl import URL

MEMORY = "memory"
LOCAL = "local"
PATH = "path"
VIRTUAL = "virtual"

_KODO = (
    "cn-east-1",
    "cn-east-2",
    "cn-north-1",
    "cn-south-1",
    "us-north-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
)
_KODO_BEFORE = {
    "z0": "cn-east-1",
    "z1": "cn-north-1",
    "z2": "cn-south-1",
    "na0": "us-north-1",
    "as0": "ap-southeast-1",
}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@attrs.frozen
class Provider:
    """What is known of a kind of object store.

    ``endpoint`` has a place for the region; empty: the operator names it. ``region`` is the one
    that is signed if none is named; ``regions`` are all there are, if they are known.
    """

    endpoint: str = ""
    style: str = PATH
    region: str = ""
    regions: tuple[str, ...] = ()
    also: Mapping[str, str] = attrs.field(factory=dict)
    prefix: str = ""
    """What people write in front of a region that is not part of it."""

    def region_of(self, named: str) -> str:
        """Return the region that is signed for a ``named`` one, which may be empty."""
        region = named.lower().removeprefix(self.prefix)
        return self.also.get(region, region) or self.region


PROVIDERS: Mapping[str, Provider] = {
    "s3": Provider("https://s3.{region}.amazonaws.com", VIRTUAL),
    "qiniu": Provider(
        "https://s3.{region}.qiniucs.com", regions=_KODO, also=_KODO_BEFORE, style=PATH
    ),
    "tencent": Provider("https://cos.{region}.myqcloud.com", VIRTUAL),
    "aliyun": Provider("https://s3.oss-{region}.aliyuncs.com", VIRTUAL, prefix="oss-"),
    "r2": Provider(region="auto"),
    "minio": Provider(region="us-east-1"),
}

_ANY_S3 = "us-east-1"
"""The region of stores that speak S3 and know no regions."""


@attrs.frozen
class Wish:
    """What the operator says about an object store; an empty text says nothing."""

    storage: str
    endpoint: str = ""
    region: str = ""
    bucket: str = ""
    access_key: str = attrs.field(default="", repr=False)
    secret_key: str = attrs.field(default="", repr=False)
    addressing: str = ""


@attrs.frozen
class Place:
    """Where a bucket is; ``endpoint`` has the bucket in front of its host in the virtual style."""

    endpoint: str
    bucket: str
    region: str
    virtual: bool


def missing(wish: Wish) -> Iterator[tuple[str, str]]:
    """Yield what keeps ``wish`` from being an object store: the name of a setting, and why."""
    provider = PROVIDERS[wish.storage]
    named = {"bucket": wish.bucket, "access_key": wish.access_key, "secret_key": wish.secret_key}
    if not provider.endpoint:
        named["endpoint"] = wish.endpoint
    for name, value in named.items():
        if not value:
            yield name, f"is empty, and the storage {wish.storage} needs it"
    if wish.bucket and not _BUCKET.fullmatch(wish.bucket):
        yield "bucket", "is not the name of a bucket"
    if wish.endpoint and URL(wish.endpoint).path.strip("/"):
        yield "endpoint", "has a path; it is the host alone, and images.bucket has the bucket"
    if wish.addressing == VIRTUAL and _is_address(wish.endpoint):
        yield "addressing", "cannot be virtual: no bucket can stand in front of an address"
    yield from _wrong_region(wish, provider)


def _wrong_region(wish: Wish, provider: Provider) -> Iterator[tuple[str, str]]:
    region = provider.region_of(wish.region)
    known = f"; there are {', '.join(provider.regions)}" if provider.regions else ""
    free = wish.endpoint and not provider.regions and wish.storage == "s3"
    if not region and not free:
        yield "region", f"is empty, and the storage {wish.storage} needs it{known}"
    elif region and not _REGION.fullmatch(region):
        yield "region", f"is not a region{known}"
    elif known and region not in provider.regions and not wish.endpoint:
        yield "region", f"is none that has a known host{known}; for another set images.endpoint"


def place_of(wish: Wish) -> Place:
    """Return where the bucket of ``wish`` is, of which nothing is ``missing``."""
    provider = PROVIDERS[wish.storage]
    region = provider.region_of(wish.region) or _ANY_S3
    endpoint = URL(wish.endpoint or provider.endpoint.format(region=region))
    virtual = (wish.addressing or _style(wish, provider, endpoint)) == VIRTUAL
    host = endpoint.host or ""
    if virtual and not host.startswith(f"{wish.bucket}."):
        endpoint = endpoint.with_host(f"{wish.bucket}.{host}")
    return Place(str(endpoint).rstrip("/"), wish.bucket, region, virtual)


def _style(wish: Wish, provider: Provider, endpoint: URL) -> str:
    dotted = wish.storage == "s3" and "." in wish.bucket and endpoint.scheme == "https"
    return PATH if dotted or _is_address(str(endpoint)) else provider.style


def _is_address(endpoint: str) -> bool:
    """Return whether the host of a URL is an IP address."""
    try:
        ipaddress.ip_address(URL(endpoint).host or "")
    except ValueError:
        return False
    return True
