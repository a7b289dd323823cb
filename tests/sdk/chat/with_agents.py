"""Drives openai-agents, a published agent program, through its model for chats; see ``playing``.

The program loops through the tools by itself, so an application sees the end of a run.
"""

import asyncio
import sys
from typing import Any

import agents  # type: ignore[import-not-found]
import openai
import pydantic

from tests.sdk.chat import playing


class Boat(pydantic.BaseModel):
    """A boat, as the application wants it."""

    name: str
    masts: int


class _Crew:
    """An agent, and the calls of its tools."""

    def __init__(self, url: str, runner: asyncio.Runner) -> None:
        self._runner = runner
        client = openai.AsyncOpenAI(api_key=playing.KEY, base_url=url, max_retries=0)
        self._model = agents.OpenAIChatCompletionsModel(playing.MODEL, client)
        self._calls: list[list[Any]] = []

    def _agent(self, **more: Any) -> Any:
        settings = agents.ModelSettings(include_usage=True)
        return agents.Agent(
            "Captain", instructions="Be brief.", model=self._model, model_settings=settings, **more
        )

    def _tool(self, name: str, said: str, schema: dict[str, Any]) -> Any:
        async def invoke(_context: Any, arguments: str) -> str:
            self._calls.append([name, arguments])
            return playing.used(name, arguments)

        return agents.FunctionTool(name, said, schema, invoke)

    def boat(self) -> Any:
        """Return a document in the application's own type."""
        return self.run(playing.SCHEMA, output_type=Boat)["text"].model_dump()

    def run(self, prompt: Any, *, streamed: bool = False, **more: Any) -> Any:
        """Run an agent to its end, and return what an application sees."""
        return self._runner.run(self._run(prompt, streamed, self._agent(**more)))

    async def _run(self, prompt: Any, streamed: bool, agent: Any) -> Any:
        text = ""
        try:
            if streamed:
                run = agents.Runner.run_streamed(agent, prompt)
                async for event in run.stream_events():
                    text += _delta(event)
            else:
                run = await agents.Runner.run(agent, prompt)
        except Exception as error:  # noqa: BLE001 - it is what the application sees
            return playing.raised(error, text)
        usage = run.context_wrapper.usage
        return {
            "text": run.final_output,
            "usage": [usage.input_tokens, usage.output_tokens, usage.total_tokens],
        }

    def work(self, *, streamed: bool) -> Any:
        """Loop through the tools."""
        self._calls.clear()
        tools = [self._tool(*declared) for declared in playing.DECLARED]
        return {**self.run(playing.TOOLS, streamed=streamed, tools=tools), "calls": self._calls[:]}


def _delta(event: Any) -> str:
    """Return the text in an event of a streamed run."""
    data: Any = event.data if event.type == "raw_response_event" else None
    return str(data.delta) if getattr(data, "type", "") == "response.output_text.delta" else ""


def main(url: str, runner: asyncio.Runner) -> None:
    """Do everything once."""
    agents.set_tracing_disabled(disabled=True)
    crew = _Crew(url, runner)
    pictures = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": playing.PICTURE},
                {"type": "input_image", "image_url": playing.PIXEL, "detail": "auto"},
            ],
        }
    ]
    playing.play(
        {
            "text": lambda: crew.run(playing.TEXT),
            "stream": lambda: crew.run(playing.TEXT, streamed=True),
            "tools": lambda: crew.work(streamed=False),
            "tools, streamed": lambda: crew.work(streamed=True),
            "picture": lambda: crew.run(pictures)["text"],
            "JSON schema": crew.boat,
            "blocked": lambda: crew.run(playing.BLOCKED),
            "error": lambda: crew.run(playing.REFUSED),
            "cut": lambda: crew.run(playing.CUT, streamed=True),
            "cut, resumed": lambda: crew.run(playing.REPAIRED, streamed=True),
        }
    )


if __name__ == "__main__":
    with asyncio.Runner() as loop:
        main(sys.argv[1], loop)
