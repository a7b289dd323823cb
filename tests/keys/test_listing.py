"""A view of a key has neither the key nor the password of its proxy."""

from yarl import URL

from gemproxy.keys.listing import table, views
from gemproxy.keys.site import Holdings
from gemproxy.pool.key import Key
from gemproxy.pool.state import Rest, Result, Sickness, Switch, Use, Why

NOW = 1_795_000_000.0
KEY = Key("AIza-canary", "lab", "store", URL("socks5://u:canary@h:1080"))


def test_a_well_key_without_anything_is_short() -> None:
    (view,) = views(Holdings((Key("x", "lab", "flag --pool.keys"),)), NOW)

    assert view.row()[1:] == ("lab", "flag --pool.keys", "well", "-", "-", "-")


def test_rests_that_are_over_and_sicknesses_that_ended_are_not_shown() -> None:
    changes = (
        Rest("lab", "m", NOW, Why.MINUTE, NOW - 9),
        Rest("home", "m", NOW + 9, Why.MINUTE, NOW),
        Sickness(KEY.name, None, NOW),
    )
    (view,) = views(Holdings((KEY,), changes), NOW)

    assert view.document()["rests"] == []
    assert view.document()["state"] == "well"


def test_a_refused_location_is_shown_and_the_key_is_well() -> None:
    (view,) = views(Holdings((KEY,), elsewhere={KEY.name: NOW}), NOW)

    assert view.document()["location_refused_at"] == "2026-11-18T11:06:40Z"
    assert view.document()["state"] == "well"
    assert view.row()[3] == "well, location refused at 2026-11-18T11:06:40Z"


def test_a_disabled_key_is_shown_with_its_last_use_and_its_sickness() -> None:
    changes = (
        Switch(KEY.name, enabled=False, at=NOW),
        Use(KEY.name, Result.LEAKED, NOW),
        Sickness(KEY.name, Why.LEAKED, NOW, NOW + 60, 1),
    )
    (view,) = views(Holdings((KEY,), changes), NOW)
    (off,) = views(Holdings((KEY,), changes[:1]), NOW)

    document = view.document()
    assert (document["state"], document["enabled"]) == ("disabled", False)
    assert document["last_used_at"] == "2026-11-18T11:06:40Z"
    assert document["last_result"] == "leaked"
    assert view.row()[3:5] == ("disabled, sick (leaked)", "2026-11-18T11:06:40Z (leaked)")
    assert off.row()[3:5] == ("disabled", "-")


def test_nothing_shows_a_secret() -> None:
    shown = views(Holdings((KEY,)), NOW)

    assert shown[0].document()["proxy"] == "socks5://u@h:1080"
    assert "canary" not in f"{table(shown)}{shown[0].document()}{shown}"
