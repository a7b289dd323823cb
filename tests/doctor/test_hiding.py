"""Findings never have a secret of their case, whatever a check says."""

import attrs

from gemproxy.config.settings import Settings
from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Finding
from gemproxy.doctor.hiding import hidden
from gemproxy.observe.logs import MASK

SECRET = "w7Kq2mXv9TzRw4Lp8sDfGh3J"


def test_secrets_are_masked_in_messages_and_advice() -> None:
    settings = Settings()
    admin = attrs.evolve(settings.admin, secret=SECRET)
    images = attrs.evolve(settings.images, access_key="abc", secret_key="the-key-of-a-bucket")
    case = Case(attrs.evolve(settings, admin=admin, images=images), {})
    finding = Finding("x", "fault", f"it says {SECRET}", "not the-key-of-a-bucket but abc")

    (found,) = hidden([finding], case)

    assert found.message == f"it says {MASK}"
    assert found.advice == f"not {MASK} but abc"  # three characters would be parts of words
