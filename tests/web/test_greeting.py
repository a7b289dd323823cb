"""The words of a start: the mode, the number of keys, and the place of each."""

import pytest

from gemproxy.access.door import Mode
from gemproxy.pool.key import Key, fingerprint
from gemproxy.web.greeting import greeting

LAB = [Key(f"lab-canary-{number}", "lab", "environment GEMINI_API_KEYS") for number in range(2)]
HOME = Key("home-canary", "home", ".env GEMINI_API_KEY")
ONE, TWO, THREE = (fingerprint(key.secret) for key in (*LAB, HOME))
OWN = "passthrough: clients bring their own Gemini keys"
BOTH = "both: clients bring their own Gemini keys, or an access key for"
PLACES = f"{ONE}, {TWO} from environment GEMINI_API_KEYS; {THREE} from .env GEMINI_API_KEY"


@pytest.mark.parametrize(
    ("mode", "keys", "words"),
    [
        (Mode.PASSTHROUGH, [], OWN),
        (
            Mode.PASSTHROUGH,
            [HOME],
            f"{OWN}; 1 key not used: {THREE} from .env GEMINI_API_KEY",
        ),
        (Mode.POOL, [*LAB, HOME], f"pool: 3 keys of 2 projects: {PLACES}"),
        (
            Mode.BOTH,
            [*LAB, HOME],
            f"{BOTH} 3 keys of 2 projects: {PLACES}",
        ),
        (Mode.POOL, [HOME], f"pool: 1 key of 1 project: {THREE} from .env GEMINI_API_KEY"),
    ],
)
def test_a_start_says_who_brings_the_key(mode: Mode, keys: list[Key], words: str) -> None:
    assert greeting(mode, keys) == words
    assert "canary" not in words


def test_an_open_pool_is_called_so() -> None:
    assert greeting(Mode.POOL, [HOME], open_to_all=True).startswith(
        "open pool, without access keys"
    )
    assert "or none at all for 1 key" in greeting(Mode.BOTH, [HOME], open_to_all=True)


def test_of_many_keys_some_are_shown() -> None:
    keys = [Key(f"key-{number}", f"p{number}", "data") for number in range(5000)]

    words = greeting(Mode.POOL, keys)

    assert "5000 keys of 5000 projects" in words
    assert words.endswith(" and 4988 more from data")
