"""Takes secrets out of findings, which should have none anyway."""

from collections.abc import Iterator, Sequence

import attrs

from gemproxy.doctor.case import Case
from gemproxy.doctor.finding import Finding
from gemproxy.observe.logs import MASK, redact

_SHORTEST = 4
"""Characters of a secret that is masked wherever it occurs; shorter ones are parts of words."""


def hidden(findings: Sequence[Finding], case: Case) -> list[Finding]:
    """Return findings in which every secret of a case is masked."""
    secrets = [secret for secret in _secrets(case) if len(secret) >= _SHORTEST]

    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, MASK)
        return redact(text)

    return [
        attrs.evolve(one, message=clean(one.message), advice=clean(one.advice)) for one in findings
    ]


def _secrets(case: Case) -> Iterator[str]:
    settings = case.settings
    yield from (key.secret for key in case.keys)
    yield from (key.proxy.password for key in case.keys if key.proxy and key.proxy.password)
    yield from case.access_keys.values()
    yield from (settings.server.secret_key, settings.admin.secret)
    yield from (settings.images.access_key, settings.images.secret_key)
