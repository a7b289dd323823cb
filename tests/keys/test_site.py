"""The keys of the settings and those of the store are one set."""

from pathlib import Path

from yarl import URL

from gemproxy.keys.site import Holdings, Site
from gemproxy.pool.key import Key


def site(folder: Path, *keys: Key) -> Site:
    proxies = {"lab": "http://of-project:1", "shelf": "http://of-shelf:1"}
    base = URL("http://127.0.0.1:1")
    return Site(folder, "", keys, proxies, base, proxy=None, connect_seconds=1.0)


def test_a_key_counts_once_as_the_settings_have_it(tmp_path: Path) -> None:
    ours = site(tmp_path, Key("one", "home", "a flag"))
    own_way = Key("three", "lab", proxy=URL("http://own:1"))
    with ours.store() as store:
        stored = [Key("one", "lab"), Key("two", "shelf"), own_way]
        store.database.write(lambda it: store.ring.add(it, stored, 0.0)).result()

    holdings = Holdings.of(ours)

    assert [(key.project, key.origin, str(key.proxy or "")) for key in holdings.keys] == [
        ("home", "a flag", ""),
        ("shelf", "store", "http://of-shelf:1"),
        ("lab", "store", "http://own:1"),
    ]


def test_a_name_is_a_project_or_a_fingerprint(tmp_path: Path) -> None:
    one, two, other = Key("one", "lab"), Key("two", "lab"), Key("three", "home")
    holdings = Holdings((one, two, other))

    assert holdings.named("lab") == (one, two)
    assert holdings.named(other.name.upper()) == (other,)
    assert holdings.named("one") == ()


def test_without_a_store_none_is_made(tmp_path: Path) -> None:
    assert Holdings.of(site(tmp_path / "data", Key("one", "lab"))).keys == (Key("one", "lab"),)
    assert not (tmp_path / "data").exists()
