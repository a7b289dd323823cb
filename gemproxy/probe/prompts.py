"""The prompts, which are fixed so that reports of different users can be compared.

Each case has its own prompt, so neither a cache nor the script of a fake server can confuse two of
them. Raise ``report.FORMAT`` when you change a prompt.
"""

from typing import Any

Json = dict[str, Any]

PROSE = "Write a story of about 200 words about {}. Plain prose, no headings, no lists."
CODE = (
    "Write a Python function that parses a duration such as 1h30m into seconds, with a "
    "docstring and comments, about 25 lines, in one fenced code block. One sentence before "
    "the block, nothing after it."
)
CHINESE = "请用中文写一个大约三百字的故事，讲一位山里的邮差。不要标题，不要列表。"
SKY = "Explain in about 80 words why the sky is blue."
WEATHER = (
    "First tell me in two sentences what you are about to look up. Then call get_weather for "
    "Tromsø, three days. When you have the result, describe it to me in about 60 words."
)
RIVERS = "List ten long rivers with their continents, lengths and one sentence about each."

TOOLS: list[Json] = [
    {
        "functionDeclarations": [
            {
                "name": "get_weather",
                "description": "Returns the weather forecast for a city.",
                "parameters": {
                    "type": "OBJECT",
                    "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}},
                    "required": ["city"],
                },
            }
        ]
    }
]
FORECAST: Json = {"forecast": ["-4 C, snow", "-6 C, clear", "-1 C, cloudy"], "wind_kmh": 21}

RIVER_SCHEMA: Json = {
    "type": "ARRAY",
    "items": {
        "type": "OBJECT",
        "properties": {
            "name": {"type": "STRING"},
            "continent": {"type": "STRING"},
            "length_km": {"type": "INTEGER"},
            "remark": {"type": "STRING"},
        },
        "required": ["name", "continent", "length_km", "remark"],
    },
}


def asking(prompt: str) -> Json:
    """Return a request with only ``prompt``."""
    return {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}


def asking_with(prompt: str, config: Json) -> Json:
    """Return a request with ``prompt`` and a generationConfig."""
    return {**asking(prompt), "generationConfig": config}


def asking_for_weather(*turns: Json) -> Json:
    """Return the request with a tool, and ``turns`` after its first turn."""
    asked = asking(WEATHER)
    return {"contents": [*asked["contents"], *turns], "tools": TOOLS}
