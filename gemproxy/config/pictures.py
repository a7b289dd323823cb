"""The kinds of settings about pictures, and the rules of a start for where they are kept."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from gemproxy.config.kinds import Kind, one_of, public_url, whole
from gemproxy.config.sources import problem
from gemproxy.images.providers import MEMORY, PROVIDERS, Wish, missing

StorageName = Literal["", "memory", "local", "s3", "qiniu", "tencent", "aliyun", "r2", "minio"]
AddressingName = Literal["", "path", "virtual"]
HistoryName = Literal["last", "all"]
ResponseName = Literal["base64", "url"]

WISHES = ("endpoint", "region", "bucket", "access_key", "secret_key", "addressing")
"""The settings that say where an object store is, and how it is called."""

_LONGEST_SIGNED = 604_800
"""Seconds that Signature Version 4 allows a URL."""


def _domain(value: object) -> str:
    """Return the base of links; a domain alone is reached by https."""
    text = str(value).strip()
    try:
        return public_url(f"https://{text}" if text and "://" not in text else text)
    except ValueError:
        raise ValueError("is not a domain, such as pictures.example.org, nor a URL") from None


def picture_problems(values: Mapping[str, Any], origins: Mapping[str, str]) -> Iterator[str]:
    """Yield what keeps a start from keeping pictures where the settings say."""
    storage = values.get("images.storage", "")
    if storage == MEMORY and values.get("server.workers", 1) > 1:
        why = (
            "'memory' belongs to one process, and a link may reach another: set server.workers to"
            " 1, or the storage to local"
        )
        yield problem("images.storage", why, origins["images.storage"])
    if storage == "" and values.get("images.response") == "url":
        why = "'url' needs a place where pictures are kept: set images.storage, or this to base64"
        yield problem("images.response", why, origins["images.response"])
    paths = {name: f"images.{name}" for name in WISHES}
    if storage in PROVIDERS and values.keys() >= set(paths.values()):
        wish = Wish(storage, **{name: values[path] for name, path in paths.items()})
        for name, why in missing(wish):
            yield problem(paths[name], why, origins[paths[name]])


Storage = Annotated[StorageName, one_of(StorageName)]
Addressing = Annotated[AddressingName, one_of(AddressingName)]
History = Annotated[HistoryName, one_of(HistoryName)]
Response = Annotated[ResponseName, one_of(ResponseName)]
Domain = Annotated[str, Kind(_domain)]
SignedSeconds = Annotated[int, whole(1, _LONGEST_SIGNED)]
