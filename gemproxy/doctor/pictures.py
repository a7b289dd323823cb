"""Where pictures are kept: whether it can be reached."""

import asyncio
from pathlib import Path

from gemproxy.doctor.aside import aside
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Verdict, Verdicts, fault, ok, skipped
from gemproxy.doctor.storage import writing_problem
from gemproxy.images.bucket import open_bucket
from gemproxy.images.providers import LOCAL, PROVIDERS, Wish, place_of
from gemproxy.images.shelf import StoreDown

SECONDS = 8.0
"""Seconds that an object store may take."""


async def pictures(case: Case) -> Verdicts:
    """Judge the storage of pictures; what the settings lack is a rule of the start."""
    images = case.settings.images
    if any(problem.setting.startswith("images.") for problem in case.problems):
        return []
    if images.storage == LOCAL:
        folder = Path(images.directory)
        return [await aside(lambda: _folder(folder))]
    if images.storage not in PROVIDERS:
        return [ok("pictures are kept in memory" if images.storage else "no pictures are kept")]
    if case.offline:
        return [skipped("--offline: the object store was not asked")]
    return [await _bucket(case)]


def _folder(folder: Path) -> Verdict:
    wrong = writing_problem(folder)
    if wrong:
        words = f"images.directory: '{folder}' {wrong}"
        return fault(words, "give it to the user that runs gemproxy, or set images.directory")
    return ok(f"pictures are kept in '{folder}'")


async def _bucket(case: Case) -> Verdict:
    """Ask for the first name in the bucket, which changes nothing."""
    images = case.settings.images
    wish = Wish(
        images.storage,
        endpoint=images.endpoint,
        region=images.region,
        bucket=images.bucket,
        access_key=images.access_key,
        secret_key=images.secret_key,
        addressing=images.addressing,
    )
    host = place_of(wish).endpoint.rpartition("//")[2]
    links = (images.bucket_domain, images.presign_seconds)
    try:
        async with (
            asyncio.timeout(SECONDS),
            open_bucket(wish, *links, images.expire_seconds, patience=SECONDS / 2) as bucket,
        ):
            await anext(bucket.names(), None)
    except StoreDown as error:
        return fault(f"images: the bucket {wish.bucket!r} at {host}: {error}", _advice(str(error)))
    except TimeoutError:
        words = f"images: {host} does not answer in {SECONDS:g} seconds"
        return fault(words, _UNREACHED)
    return ok(f"the bucket {wish.bucket!r} can be read; whether it can be written was not tried")


_UNREACHED = "correct images.endpoint and images.region, or let this machine out to that host"


def _advice(words: str) -> str:
    if "refused" in words:
        return "correct images.access_key and images.secret_key, and let that key read the bucket"
    if "missing" in words or "404" in words:
        return "make the bucket, or correct images.bucket, images.region and images.addressing"
    return _UNREACHED
