"""The dialect of OpenAI's clients, from the settings."""

from gemproxy.config.settings import Settings
from gemproxy.openai.request import Ways


def ways_of(settings: Settings) -> Ways:
    """Return how chat requests are translated."""
    openai = settings.openai
    return Ways(
        default_model=openai.default_model,
        aliases=openai.aliases,
        suffixes=openai.model_suffixes,
        image_models=tuple(settings.images.models),
        markdown=openai.markdown_images,
    )
