"""Settings that hold keys: what is taken from which notation, and what is never shown."""

import contextlib
import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.config import keyring
from gemproxy.config.keyring import keys_of, projects_of
from gemproxy.config.kinds import converter, kind_of
from gemproxy.pool.key import Key, Limits, fingerprint

ONE, TWO, THREE = "AIzaSy-one", "AQ.two", "a-key-of-another-shape"
CANARY = "SeCrEtCaNaRy"


def read(annotation: object, value: object) -> object:
    return converter().structure(value, cast("type[object]", annotation))


def show(annotation: object, value: object) -> str:
    kind = kind_of(annotation)
    assert kind is not None
    return kind.show(value)


def secrets(keys: object) -> list[str]:
    return [key.secret for key in cast("tuple[Key, ...]", keys)]


@pytest.mark.parametrize(
    "raw",
    [
        [ONE, TWO, THREE],
        (ONE, TWO, THREE),
        f"{ONE},{TWO},{THREE}",
        f" {ONE} ,\n{TWO} ,, {THREE}\r\n,{ONE}",
        f"{ONE}\n{TWO}\n{THREE}\n",
        json.dumps([ONE, TWO, THREE, ONE]),
        f'"{ONE},{TWO},{THREE}"',
        f"\n{json.dumps([f' {ONE} ', TWO, '', THREE], indent=1)}\n",
    ],
)
def test_keys_come_as_a_list_as_text_or_as_json(raw: object) -> None:
    keys = read(keyring.Keys, raw)

    assert secrets(keys) == [ONE, TWO, THREE]
    assert read(keyring.Keys, keys) == keys


def test_a_key_alone_is_a_project_of_its_own() -> None:
    (key,) = keys_of(ONE)

    assert key.project == key.name == fingerprint(ONE)


@pytest.mark.parametrize("raw", ["", " ", ",", "[]", [], '[""]'])
def test_no_key_is_none(raw: object) -> None:
    assert keys_of(raw) == ()


@pytest.mark.parametrize("key", ["one two", "one\ttwo", "one\x00", "one\x7f", "schlüssel", "a…"])
@pytest.mark.parametrize("as_list", [True, False])
def test_a_character_that_no_key_has_is_refused(key: str, as_list: bool) -> None:
    with pytest.raises(ValueError, match="a blank, a control character or a letter beyond ASCII"):
        keys_of([key] if as_list else key)


def test_a_key_is_no_name_of_a_project() -> None:
    swapped = "AIzaSyB1f9c27d404be4a0f8f3e6a51c7d0c9b2e1"

    with pytest.raises(ValueError, match="a key in the place of a project") as caught:
        projects_of({swapped: "lab"})

    assert swapped not in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "raw"),
    [
        (keyring.Keys, f"[{CANARY}]"),
        (keyring.Keys, f"['{CANARY}']"),
        (keyring.Keys, "[" * 100_000),
        (keyring.Keys, {CANARY: CANARY}),
        (keyring.Keys, [[CANARY]]),
        (keyring.Keys, 7),
        (keyring.Keys, f"gp-{CANARY}"),
        (keyring.Keys, f"{CANARY} {CANARY}"),
        (keyring.Projects, [CANARY]),
        (keyring.Projects, CANARY),
        (keyring.Projects, {"lab": {"a": CANARY}}),
        (keyring.Projects, {"lab": f"{CANARY} {CANARY}"}),
        (keyring.Projects, {"lab": []}),
        (keyring.Projects, {f"AIza{CANARY}": "lab key"}),
        (keyring.Projects, {"": CANARY}),
        (keyring.Projects, {"a\nb": CANARY}),
        (keyring.Weights, {"lab": CANARY}),
        (keyring.Weights, {"lab": 0}),
        (keyring.Weights, {"lab": "nan"}),
        (keyring.Weights, {"lab": True}),
        (keyring.Weights, CANARY),
        (keyring.Proxies, {"lab": CANARY}),
        (keyring.Proxies, {"lab": f"ftp://me:{CANARY}@host"}),
        (keyring.Proxies, {"lab": f"http://me:{CANARY}@host:0"}),
        (keyring.Proxies, {"lab": f"http://me:{CANARY}@host:nan"}),
        (keyring.Proxies, {"lab": f"http://me:{CANARY}@[host"}),
        (keyring.Proxies, {"lab": f"socks5://me:{CANARY}@"}),
        (keyring.Proxies, {"lab": f"http://me:{CANARY} @host"}),
        (keyring.Proxies, {"lab": 7}),
        (keyring.LimitsOfModels, {"gemini-2": {"5-flash": {"rpm": 1}}}),
        (keyring.LimitsOfModels, {"m": {"rpm": -1}}),
        (keyring.LimitsOfModels, {"m": {"rpm": True}}),
        (keyring.LimitsOfModels, {"m": {"rpm": 1.5}}),
        (keyring.LimitsOfModels, {"m": {"requests": 1}}),
        (keyring.LimitsOfModels, {"m": 5}),
        (keyring.LimitsOfModels, {"": {"rpm": 1}}),
        (keyring.LimitsOfModels, CANARY),
        (keyring.AccessKeys, {"ann": f"{CANARY} x"}),
        (keyring.AccessKeys, {"ann": ""}),
        (keyring.AccessKeys, {"ann": 7}),
        (keyring.AccessKeys, {"": CANARY}),
        (keyring.AccessKeys, {f"AIzaSy{CANARY}": "x"}),
        (keyring.AccessKeys, f'["{CANARY}"]'),
        (keyring.AccessKeys, CANARY),
        (keyring.AccessKey, f"{CANARY}\n{CANARY}"),
        (keyring.Secret, f"{CANARY}\n{CANARY}"),
    ],
)
def test_a_wrong_value_is_refused_in_words_that_do_not_repeat_it(
    annotation: object, raw: object
) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|holds|gives) [^\n]+$") as caught:
        read(annotation, raw)

    assert CANARY not in str(caught.value)


def test_a_model_s_name_that_toml_has_split_gets_a_hint() -> None:
    with pytest.raises(ValueError, match="quote a name with dots"):
        read(keyring.LimitsOfModels, {"gemini-2": {"5-flash": {"rpm": 1}}})


@pytest.mark.parametrize("as_text", [True, False])
def test_tables_come_from_toml_and_as_json(as_text: bool) -> None:
    def table(value: object) -> object:
        return json.dumps(value) if as_text else value

    projects = read(keyring.Projects, table({"lab": [ONE, TWO], "home": THREE}))
    weights = read(keyring.Weights, table({"lab": 2, "home": "0.5"}))
    proxies = read(keyring.Proxies, table({"lab": "socks5h://me:x@host:1080"}))
    limits = read(keyring.LimitsOfModels, table({"models/gemini-2.5-flash": {"rpm": 5, "rpd": 9}}))
    access = read(keyring.AccessKeys, table({"ann": " a-key "}))

    assert {name: secrets(keys) for name, keys in cast("dict[str, object]", projects).items()} == {
        "lab": [ONE, TWO],
        "home": [THREE],
    }
    assert weights == {"lab": 2.0, "home": 0.5}
    assert proxies == {"lab": "socks5h://me:x@host:1080"}
    assert limits == {"gemini-2.5-flash": Limits(rpm=5, rpd=9)}
    assert access == {"ann": "a-key"}
    for annotation, value in (
        (keyring.Projects, projects),
        (keyring.Weights, weights),
        (keyring.LimitsOfModels, limits),
        (keyring.AccessKeys, access),
    ):
        assert read(annotation, value) == value


@pytest.mark.parametrize(
    "annotation",
    [
        keyring.Projects,
        keyring.Weights,
        keyring.Proxies,
        keyring.LimitsOfModels,
        keyring.AccessKeys,
    ],
)
def test_an_empty_text_is_an_empty_table(annotation: object) -> None:
    assert read(annotation, " ") == {}


def test_a_key_of_a_project_knows_it() -> None:
    (key,) = projects_of({"lab": ONE})["lab"]

    assert (key.project, key.name) == ("lab", fingerprint(ONE))


def test_keys_are_shown_by_their_fingerprints_and_other_secrets_masked() -> None:
    keys, projects = keys_of([ONE, TWO]), projects_of({"lab": [ONE], "home": [TWO]})
    one, two = fingerprint(ONE), fingerprint(TWO)

    assert show(keyring.Keys, keys) == f"{one}, {two}"
    assert show(keyring.Projects, projects) == f"lab: {one}; home: {two}"
    assert show(keyring.Weights, {"lab": 2.0}) == "lab: 2"
    assert show(keyring.Proxies, {"lab": "http://me:x@host:1"}) == "lab: http://***@host:1"
    assert show(keyring.LimitsOfModels, {"m": Limits(rpm=5, rpd=9)}) == "m: rpm 5, rpd 9"
    assert show(keyring.AccessKeys, {"ann": "x", "bob": "y"}) == "ann: ***, bob: ***"
    assert (show(keyring.AccessKey, "x"), show(keyring.Secret, "")) == ("***", "")


@given(st.one_of(st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text())))
def test_any_value_is_taken_or_refused_in_words(value: object) -> None:
    for annotation in (keyring.Keys, keyring.Projects, keyring.Proxies, keyring.AccessKeys):
        with contextlib.suppress(ValueError):
            assert read(annotation, value) is not None
