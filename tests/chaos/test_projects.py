"""The grammar of projects, and whose quota counts."""

import pytest

from gemproxy.chaos.projects import BadProject, Project, Quota, parse_project


def test_a_project_has_keys_and_nothing_else_by_default() -> None:
    assert parse_project("home=key3") == Project("home", ("key3",))
    assert parse_project("home=key3").quota_of("gemini-x") == Quota()


def test_settings_follow_the_keys() -> None:
    spec = "lab = key1, key2; rpm=5; rpd=100; gemini-2.5-flash.rpm=2; off=gemini-3.1-pro-preview, m"
    project = parse_project(spec)

    assert project == Project(
        "lab",
        ("key1", "key2"),
        Quota(rpm=5, rpd=100),
        {"gemini-2.5-flash": Quota(rpm=2)},
        frozenset({"gemini-3.1-pro-preview", "m"}),
    )
    assert project.quota_of("gemini-2.5-flash") == Quota(rpm=2, rpd=100)
    assert project.quota_of("another") == Quota(rpm=5, rpd=100)


def test_a_key_does_not_show() -> None:
    assert "key1" not in repr(parse_project("lab=key1"))


@pytest.mark.parametrize(
    "spec", ["", "lab", "lab=", "=key", "lab=key;rpm", "lab=key;rpm=x", "a b=c"]
)
def test_anything_else_is_refused(spec: str) -> None:
    with pytest.raises(BadProject, match="expected"):
        parse_project(spec)
