"""Projects of the fake Gemini: their keys and quotas, and the grammar of ``--project``.

    project  = name "=" key {"," key} {";" setting}
    setting  = [model "."] ("rpm" | "tpm" | "rpd") "=" number | "off=" model {"," model}

``rpm`` is requests by minute, ``tpm`` tokens of prompts by minute, ``rpd`` requests by day, all for
each model. With a model in front, the number is that model's own. A model that is ``off`` is not in
the project's tier.
"""

import re
from collections.abc import Mapping

import attrs

_SETTING = re.compile(r"(?:(?P<model>.+)\.)?(?P<what>rpm|tpm|rpd)=(?P<number>\d+)", re.ASCII)
_NAME = re.compile(r"[\w.-]+")
_FORM = "NAME=KEY[,KEY...][;rpm=N][;tpm=N][;rpd=N][;MODEL.rpm=N][;off=MODEL[,MODEL...]]"


@attrs.frozen
class Quota:
    """The quota of one model in one project; None: not limited."""

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None


@attrs.frozen
class Project:
    """A project: its keys, the quota of every model, other quotas by model, and absent models."""

    name: str
    keys: tuple[str, ...] = attrs.field(repr=False)
    quota: Quota = attrs.field(default=Quota())
    models: Mapping[str, Quota] = attrs.field(factory=dict)
    off: frozenset[str] = frozenset()

    def quota_of(self, model: str) -> Quota:
        """Return the quota of ``model``: its own figures where there are any."""
        own = {
            k: v for k, v in attrs.asdict(self.models.get(model, Quota())).items() if v is not None
        }
        return attrs.evolve(self.quota, **own)


class BadProject(ValueError):
    """The specification of a project is invalid; the message names the expected form."""


def parse_project(spec: str) -> Project:
    """Return the project that ``spec`` describes; raise BadProject."""
    head, *settings = (part.strip() for part in spec.split(";"))
    name, _, listed = head.partition("=")
    keys = tuple(key.strip() for key in listed.split(",") if key.strip())
    if not _NAME.fullmatch(name.strip()) or not keys:
        raise BadProject(f"expected {_FORM}")
    figures: dict[str, dict[str, int]] = {}
    off: set[str] = set()
    for setting in filter(None, settings):
        found = _SETTING.fullmatch(setting)
        if found is not None:
            figures.setdefault(found["model"] or "", {})[found["what"]] = int(found["number"])
        elif setting.startswith("off="):
            off |= {model.strip() for model in setting.removeprefix("off=").split(",")}
        else:
            raise BadProject(f"{setting!r}: expected rpm=N, tpm=N, rpd=N, MODEL.rpm=N or off=MODEL")
    quota = Quota(**figures.pop("", {}))
    models = {model: Quota(**own) for model, own in figures.items()}
    return Project(name.strip(), keys, quota, models, frozenset(off))
