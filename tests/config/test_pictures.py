"""Settings about pictures: the names of other tools, and what a start refuses."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gemproxy.config.sections import Images
from gemproxy.config.settings import OF_PROVIDERS, Loaded, Settings, SettingsError

QINIU = {
    "IMAGE_STORAGE_TYPE": "qiniu",
    "QINIU_ACCESS_KEY": "qiniu-id",
    "QINIU_SECRET_KEY": "qiniu-secret",
    "QINIU_BUCKET_NAME": "pics",
    "QINIU_BUCKET_DOMAIN": "http://pics.example.org/",
    "QINIU_REGION": "cn-east-1",
}
TENCENT = {
    "IMAGE_STORAGE_TYPE": "tencent",
    "TENCENT_SECRET_ID": "tencent-id",
    "TENCENT_SECRET_KEY": "tencent-secret",
    "TENCENT_BUCKET_NAME": "pics-125",
    "TENCENT_BUCKET_DOMAIN": "pics.example.org",
    "TENCENT_REGION": "ap-guangzhou",
}


def loaded(environ: Mapping[str, str], cwd: Path = Path("/nonexistent")) -> Loaded:
    return Settings.load(environ=environ, cwd=cwd)


def images(environ: Mapping[str, str], cwd: Path = Path("/nonexistent")) -> Images:
    return loaded(environ, cwd).settings.images


def problems(environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(environ)
    return caught.value.problems


def test_the_names_of_a_provider_count_for_its_storage() -> None:
    both = {**QINIU, **TENCENT}
    qiniu = images({**both, "IMAGE_STORAGE_TYPE": "qiniu"})
    tencent = images(both)

    assert (qiniu.access_key, qiniu.secret_key) == ("qiniu-id", "qiniu-secret")
    assert (qiniu.bucket, qiniu.region) == ("pics", "cn-east-1")
    assert qiniu.bucket_domain == "http://pics.example.org"
    assert (tencent.access_key, tencent.secret_key) == ("tencent-id", "tencent-secret")
    assert (tencent.bucket, tencent.region) == ("pics-125", "ap-guangzhou")
    assert tencent.bucket_domain == "https://pics.example.org"
    assert images({**both, "IMAGE_STORAGE_TYPE": "memory"}) == Images(storage="memory")


def test_they_are_weaker_than_our_own_names_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QINIU_REGION=cn-north-1\nQINIU_BUCKET_NAME=dotenv\n")
    without = {name: value for name, value in QINIU.items() if name != "QINIU_BUCKET_NAME"}
    own = {**without, "GEMPROXY_IMAGES_ACCESS_KEY": "own", "GEMPROXY_IMAGES_STORAGE": "qiniu"}

    found = loaded({**own, "IMAGE_STORAGE_TYPE": "local"}, tmp_path)

    assert found.settings.images.access_key == "own"
    assert found.settings.images.region == "cn-east-1"
    assert found.settings.images.bucket == "dotenv"
    assert found.origins["images.bucket"] == ".env QINIU_BUCKET_NAME"
    assert found.origins["images.region"] == "environment QINIU_REGION"


def test_links_as_the_relay_s_answers_need_a_storage() -> None:
    wish = {"GEMPROXY_IMAGES_RESPONSE": "url"}

    (told,) = problems(wish)
    assert told.startswith("images.response: 'url' needs a place where pictures are kept")
    assert told.endswith("(from environment GEMPROXY_IMAGES_RESPONSE)")
    assert images({**wish, "IMAGE_STORAGE_TYPE": "local"}).response == "url"
    assert images({}).response == "base64"


def test_the_relay_s_limit_has_its_old_name_and_stops_no_start_of_several_workers() -> None:
    assert images({}).rate_per_minute == 60
    assert images({"RATE_LIMIT_PER_MINUTE": "7", "WORKERS": "4"}).rate_per_minute == 7


def test_the_storage_may_be_named_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "gemproxy.toml").write_text("[images]\nstorage = 'qiniu'\n")

    assert images({**QINIU, "IMAGE_STORAGE_TYPE": ""}, tmp_path).bucket == "pics"


@pytest.mark.parametrize("names", [QINIU, TENCENT])
def test_a_secret_may_be_in_a_file_and_is_never_shown(
    tmp_path: Path, names: Mapping[str, str]
) -> None:
    secret = next(name for name in names if name.endswith("_SECRET_KEY"))
    file = tmp_path / "secret"
    file.write_text("in-a-file\n")
    given = {name: value for name, value in names.items() if name != secret}

    found = loaded({**given, f"{secret}_FILE": str(file)})

    assert found.settings.images.secret_key == "in-a-file"
    shown = {path: value for path, value, _ in found.rows()}
    assert shown["images.secret_key"] == shown["images.access_key"] == "***"
    assert "in-a-file" not in repr(found.settings)


def test_the_names_of_pictures_of_other_tools() -> None:
    found = images(
        {
            "IMAGE_STORAGE_TYPE": "LOCAL",
            "IMAGE_STORAGE_DIR": "pictures",
            "HOST_URL": "https://x.test/",
        }
    )

    assert (found.storage, found.directory, found.public_url) == (
        "local",
        "pictures",
        "https://x.test",
    )
    assert images({"IMAGE_STORAGE_TYPE": "local"}).directory == "data/images"


@pytest.mark.parametrize("storage", ["s3", "qiniu", "tencent", "aliyun", "r2", "minio"])
def test_a_storage_without_what_it_needs_is_refused_and_named(storage: str) -> None:
    found = problems({"IMAGE_STORAGE_TYPE": storage})

    assert len(found) == 4
    assert all(line.startswith("images.") for line in found)
    assert all(f"the storage {storage} needs it" in line for line in found)


def test_qiniu_without_a_region_is_refused_with_the_list() -> None:
    (problem,) = problems({**QINIU, "QINIU_REGION": ""})

    assert problem.startswith("images.region: is empty, and the storage qiniu needs it")
    assert "cn-east-1, cn-east-2, cn-north-1, cn-south-1, us-north-1" in problem
    assert problem.endswith("(from default)")


def test_pictures_in_memory_have_one_process() -> None:
    (problem,) = problems({"IMAGE_STORAGE_TYPE": "memory", "WORKERS": "2"})

    assert problem.startswith("images.storage: 'memory' belongs to one process")
    assert images({"IMAGE_STORAGE_TYPE": "local", "WORKERS": "2"}).storage == "local"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GEMPROXY_IMAGES_STORAGE", "disk"),
        ("GEMPROXY_IMAGES_ADDRESSING", "host"),
        ("GEMPROXY_IMAGES_BUCKET_DOMAIN", "https://user:pw@x.test"),
        ("GEMPROXY_IMAGES_BUCKET_DOMAIN", "x.test?y=1"),
        ("GEMPROXY_IMAGES_PRESIGN_SECONDS", "604801"),
        ("GEMPROXY_IMAGES_PRESIGN_SECONDS", "0"),
        ("GEMPROXY_IMAGES_ENDPOINT", "cos.ap-tokyo.myqcloud.com"),
        ("HOST_URL", "pictures.test"),
        ("GEMPROXY_IMAGES_MAX_BYTES", "0"),
    ],
)
def test_a_wrong_value_is_refused_in_words(name: str, value: str) -> None:
    (problem,) = problems({name: value})

    assert problem.startswith("images.")


def test_an_empty_value_says_nothing() -> None:
    names = {name: "" for names in OF_PROVIDERS.values() for name in names}
    more = {"IMAGE_STORAGE_TYPE": "", "HOST_URL": "", "GEMPROXY_IMAGES_BUCKET_DOMAIN": ""}

    assert images({**names, **more}) == Images()


def test_the_history_is_last_or_all() -> None:
    assert images({}).history == "last"
    assert images({"HISTORY_IMAGE_SUBMIT_TYPE": "all"}).history == "all"
    (problem,) = problems({"HISTORY_IMAGE_SUBMIT_TYPE": "none"})
    assert problem.startswith("images.history: ")
