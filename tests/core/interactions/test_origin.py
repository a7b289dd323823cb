"""What the body of a creation asks for."""

import pytest

from gemproxy.core.interactions.origin import Origin

CREATE = Origin(creates=True)


@pytest.mark.parametrize(
    ("body", "origin"),
    [
        (b'{"model":"m","stream":true}', Origin(creates=True, name="m")),
        (b'{"agent":"a","store":false}', Origin(creates=True, keeps=False, name="a")),
        (b'{"store":true,"model":null}', CREATE),
        (b'{"store":null}', CREATE),
        (b'{"store":"no"}', CREATE),
        (b"\x1f\x8b", CREATE),
        (b"", CREATE),
    ],
)
def test_the_body_says_what_is_created(body: bytes, origin: Origin) -> None:
    assert Origin.of_body(body) == origin
