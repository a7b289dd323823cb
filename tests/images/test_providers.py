"""Providers: the host, the style and the region of each storage, and what it needs."""

import attrs
import pytest

from gemproxy.images.providers import PROVIDERS, Place, Wish, missing, place_of

KEYS = {"bucket": "pics-1250000000", "access_key": "AK", "secret_key": "SK"}
KODO = "cn-east-1, cn-east-2, cn-north-1, cn-south-1, us-north-1, ap-southeast-1"


def wish(storage: str, **more: str) -> Wish:
    return Wish(storage, **{**KEYS, **more})


def place(storage: str, **more: str) -> tuple[str, str, bool]:
    """Return endpoint, region and style of the place of a wish, of which nothing is missing."""
    asked = wish(storage, **more)
    assert list(missing(asked)) == []
    found = place_of(asked)
    assert found.bucket == asked.bucket
    return found.endpoint, found.region, found.virtual


@pytest.mark.parametrize(
    ("storage", "region", "endpoint", "signed", "virtual"),
    [
        ("s3", "eu-west-1", "https://pics-1250000000.s3.eu-west-1.amazonaws.com", "", True),
        ("qiniu", "cn-south-1", "https://s3.cn-south-1.qiniucs.com", "", False),
        ("qiniu", "z2", "https://s3.cn-south-1.qiniucs.com", "cn-south-1", False),
        ("qiniu", "AS0", "https://s3.ap-southeast-1.qiniucs.com", "ap-southeast-1", False),
        (
            "tencent",
            "ap-guangzhou",
            "https://pics-1250000000.cos.ap-guangzhou.myqcloud.com",
            "",
            True,
        ),
        (
            "aliyun",
            "cn-hangzhou",
            "https://pics-1250000000.s3.oss-cn-hangzhou.aliyuncs.com",
            "",
            True,
        ),
        (
            "aliyun",
            "oss-cn-hangzhou",
            "https://pics-1250000000.s3.oss-cn-hangzhou.aliyuncs.com",
            "cn-hangzhou",
            True,
        ),
    ],
)
def test_a_region_is_enough_where_the_provider_has_hosts_for_regions(
    storage: str, region: str, endpoint: str, signed: str, virtual: bool
) -> None:
    assert place(storage, region=region) == (endpoint, signed or region, virtual)


def test_a_host_of_the_operator_s_has_a_region_by_default() -> None:
    account = "https://0123.r2.cloudflarestorage.com"

    assert place("r2", endpoint=account) == (account, "auto", False)
    assert place("minio", endpoint="http://minio:9000") == ("http://minio:9000", "us-east-1", False)
    assert place("s3", endpoint="https://s3.test")[1] == "us-east-1"
    assert place("minio", endpoint="http://minio:9000", region="home")[1] == "home"


def test_the_operator_s_style_wins() -> None:
    minio = "https://minio.test:9000"

    assert place("minio", endpoint=minio, addressing="virtual") == (
        "https://pics-1250000000.minio.test:9000",
        "us-east-1",
        True,
    )
    assert place("tencent", region="ap-tokyo", addressing="path") == (
        "https://cos.ap-tokyo.myqcloud.com",
        "ap-tokyo",
        False,
    )


def test_a_host_with_the_bucket_in_front_keeps_it_once() -> None:
    endpoint = "https://pics-1250000000.cos.ap-tokyo.myqcloud.com"

    assert place("tencent", endpoint=endpoint, region="ap-tokyo")[0] == endpoint


def test_no_bucket_stands_in_front_of_an_address_or_has_a_dot_under_a_certificate() -> None:
    assert place("s3", endpoint="http://127.0.0.1:9000")[2] is False
    assert place("tencent", endpoint="http://[::1]:9000", region="x")[2] is False
    dotted = place("s3", region="eu-west-1", bucket="pics.example.org")
    assert dotted == ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", False)
    asked = wish("s3", endpoint="http://127.0.0.1:9000", addressing="virtual")
    assert dict(missing(asked))["addressing"].startswith("cannot be virtual")


@pytest.mark.parametrize("storage", PROVIDERS)
def test_what_is_missing_is_named(storage: str) -> None:
    found = dict(missing(Wish(storage)))

    expected = {"bucket", "access_key", "secret_key"}
    expected |= {"endpoint"} if storage in {"r2", "minio"} else {"region"}
    assert found.keys() == expected
    assert all(storage in why for why in found.values())


def test_kodo_without_a_region_is_refused_with_the_list_of_regions() -> None:
    hosted = {"endpoint": "https://s3.test"}

    assert KODO in dict(missing(wish("qiniu")))["region"]
    assert KODO in dict(missing(wish("qiniu", **hosted)))["region"]
    assert KODO in dict(missing(wish("qiniu", region="cn-west-9")))["region"]
    assert place("qiniu", region="cn-west-9", **hosted)[1] == "cn-west-9"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bucket", "a/b"),
        ("bucket", "../b"),
        ("bucket", "b?x=1"),
        ("region", "cn east"),
        ("region", "x.evil.test/"),
        ("endpoint", "https://s3.test/pics"),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: str) -> None:
    asked = attrs.evolve(wish("s3", region="eu-west-1"), **{name: value})

    assert [found for found, _ in missing(asked)] == [name]


def test_no_secret_is_in_a_repr() -> None:
    assert "SK" not in repr(wish("s3"))
    assert "AK" not in repr(wish("s3"))
    assert place_of(wish("r2", endpoint="https://x.test")) == Place(
        "https://x.test", KEYS["bucket"], "auto", virtual=False
    )
