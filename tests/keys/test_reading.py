"""Keys are read in the forms in which operators have them."""

import json

import pytest
from yarl import URL

from gemproxy.config.arguments import Misused
from gemproxy.config.outbound import proxy_of_key
from gemproxy.keys.reading import keys_in_file, keys_in_input, written
from gemproxy.pool.key import Key, fingerprint

OWN = fingerprint


def pairs(text: str) -> list[tuple[str, str]]:
    return [(key.project, key.secret) for key in keys_in_file(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AIza1\n\n  AIza2 \r\n", [(OWN("AIza1"), "AIza1"), (OWN("AIza2"), "AIza2")]),
        ("\ufeff# all\nlab AIza1 # mine\n", [("lab", "AIza1")]),
        ("lab,AIza1\nlab\tAIza2\nlab , AIza3", [("lab", f"AIza{n}") for n in (1, 2, 3)]),
        ("AIza1,AIza2", [(OWN("AIza1"), "AIza1"), (OWN("AIza2"), "AIza2")]),
        ("key#1", [(OWN("key#1"), "key#1")]),
        ("\"AIza1\"\n'AIza2'", [(OWN("AIza1"), "AIza1"), (OWN("AIza2"), "AIza2")]),
        ('export GEMINI_API_KEYS="a,b"', [(OWN("a"), "a"), (OWN("b"), "b")]),
        ('API_KEYS=["a", "b"]', [(OWN("a"), "a"), (OWN("b"), "b")]),
        ('["a", "b"]', [(OWN("a"), "a"), (OWN("b"), "b")]),
        ('{"lab": ["a", "b"], "home": "c"}', [("lab", "a"), ("lab", "b"), ("home", "c")]),
        ('[{"key": "a", "project": "lab"}, "b"]', [("lab", "a"), (OWN("b"), "b")]),
        ("a\na", [(OWN("a"), "a")] * 2),
    ],
)
def test_the_forms(text: str, expected: list[tuple[str, str]]) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("fine\nlab canary x\n", "line 2"),
        ("gp-canary", "line 1"),
        ("lab canär", "line 1"),
        ("AIzacanary lab", "line 1"),
        ("../canary a", "line 1"),
        ('["a", 1]', "item 2"),
        ('[{"key": "a", "canary": 1}]', "item 1"),
        ('[{"key": ["canary"]}]', "item 1"),
        ('[{"project": "lab"}]', "item 1"),
        ('[{"key": "a", "proxy": "ftp://canary@x"}]', "item 1"),
        ('{"lab": ["a"], "home": [["canary"]]}', "project 2"),
        ('{"canary": ', "JSON"),
        ("# nothing", "no key"),
        ("", "no key"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(text: str, place: str) -> None:
    with pytest.raises(Misused) as caught:
        keys_in_file(text)

    assert place in str(caught.value)
    assert "canary" not in str(caught.value)


def test_of_many_problems_the_first_are_told() -> None:
    with pytest.raises(Misused, match=r"line 1: .*; line 20: .*; and 80 more"):
        keys_in_file("a b c\n" * 100)


def test_what_add_reads_gets_its_project_and_proxy() -> None:
    first, second = keys_in_input("a\n# note\n b \n", "lab", "http://u:p@h:3128")

    assert (first.secret, first.project, first.proxy) == ("a", "lab", URL("http://u:p@h:3128"))
    assert second.secret == "b"


@pytest.mark.parametrize(
    ("text", "project", "proxy"),
    [
        ("", "", ""),
        ("two words", "", ""),
        ("a", "no/project", ""),
        ("a", "AIza-canary", ""),
        ("a", "", "ftp://canary"),
        ("gp-canary", "", ""),
    ],
)
def test_what_add_cannot_take(text: str, project: str, proxy: str) -> None:
    with pytest.raises(Misused) as caught:
        keys_in_input(text, project, proxy)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://h:3128",
        "http://u:p@h:3128",
        "http://%C3%BC:%25%40@h:3128",
        "https://u@h:8443",
        "socks5://%C3%BC:p@h:1080",
    ],
)
def test_what_is_written_is_read_again(url: str) -> None:
    key = Key("a", "lab", proxy=proxy_of_key(url))

    (again,) = keys_in_file(json.dumps([written(key)]))

    assert (again.secret, again.project, again.proxy) == ("a", "lab", key.proxy)
    assert URL(written(key)["proxy"]) == URL(url)
