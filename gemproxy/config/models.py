"""Which models settings name: those of limits, defaults and aliases, without patterns."""

from gemproxy.config.settings import Settings

_OF_A_PATTERN = frozenset("*?[]#")


def models_of(settings: Settings) -> frozenset[str]:
    """Return the models that a setting names in full."""
    openai, images = settings.openai, settings.images
    named = {
        *settings.pool.limits,
        *settings.thinking.models,
        *images.models,
        *openai.aliases.values(),
        openai.default_model,
        images.default_model,
    }
    return frozenset(name for name in named if name and not _OF_A_PATTERN & {*name})
