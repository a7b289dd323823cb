"""Where pictures are kept."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.doctor.conftest import Doctor
from tests.s3 import running_s3

S3 = {
    "IMAGE_STORAGE_TYPE": "minio",
    "GEMPROXY_IMAGES_BUCKET": "pics",
    "GEMPROXY_IMAGES_ACCESS_KEY": "canary-id",
    "GEMPROXY_IMAGES_SECRET_KEY": "canary-secret",
}


async def test_without_a_storage_there_is_nothing_to_judge(doctor: Doctor) -> None:
    assert (await doctor()).one("pictures").message == "no pictures are kept"


async def test_an_incomplete_storage_is_a_fault(doctor: Doctor) -> None:
    report = await doctor(IMAGE_STORAGE_TYPE="minio", GEMPROXY_IMAGES_BUCKET="pics")

    assert {one.status for one in report.of("pictures")} == {"fault"}
    assert "images.endpoint" in " ".join(one.message for one in report.of("pictures"))


async def test_a_folder_is_looked_at_and_not_made(doctor: Doctor, tmp_path: Path) -> None:
    good = await doctor(IMAGE_STORAGE_TYPE="local", IMAGE_STORAGE_DIR="new/pictures")
    assert good.one("pictures").status == "ok"
    assert not (tmp_path / "new").exists()

    (tmp_path / "file").write_text("")
    bad = await doctor(IMAGE_STORAGE_DIR="file")
    assert "images.directory" in bad.faults["pictures"]


async def test_a_store_that_is_not_there_is_a_fault(doctor: Doctor) -> None:
    report = await doctor("--online", **S3, GEMPROXY_IMAGES_ENDPOINT="http://127.0.0.1:1")

    assert "127.0.0.1:1" in report.faults["pictures"]
    assert "canary" not in report.text


async def test_offline_no_store_is_asked(doctor: Doctor) -> None:
    report = await doctor(**S3, GEMPROXY_IMAGES_ENDPOINT="http://127.0.0.1:1")

    assert report.one("pictures").status == "skipped"


async def test_a_bucket_is_read_and_a_missing_one_told(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_s3() as url:
        report = await doctor("--online", **S3, GEMPROXY_IMAGES_ENDPOINT=url)

    assert report.one("pictures").status == "fault"
    assert "make the bucket" in report.one("pictures").advice


async def test_a_bucket_is_asked_for_one_list_and_nothing_else(doctor: Doctor) -> None:
    asked: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.Response(text="<ListBucketResult></ListBucketResult>")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        report = await doctor("--online", **S3, GEMPROXY_IMAGES_ENDPOINT=url)

    assert asked == ["GET /pics?list-type=2&prefix=gemproxy%2F"]
    assert report.one("pictures").status == "ok"
