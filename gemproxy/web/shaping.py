"""What the operator adds to requests, from the settings."""

from gemproxy.config.settings import Settings
from gemproxy.shaping.injection import Injection
from gemproxy.shaping.shaping import Shaping
from gemproxy.shaping.thinking import Thinking, Thoughts


def shaping_of(settings: Settings) -> Shaping:
    """Return the defaults for thinking, the prompt if it is switched on, the models that draw."""
    thinking, injection = settings.thinking, settings.injection
    general = Thinking(thinking.enabled, thinking.budget, thinking.level, thinking.include_thoughts)
    prompt = Injection(injection.content, injection.position, injection.allow_opt_out)
    return Shaping(
        Thoughts(general, thinking.models, thinking.native),
        prompt if injection.enabled else None,
        settings.images.models,
    )
