"""The command lines of serve and stop: their own flags, and those of settings."""

from pathlib import Path

import pytest

from gemproxy.config.arguments import Misused
from gemproxy.service.options import ServeOptions, StopOptions, read_serve, read_stop


def test_own_flags_stand_anywhere_among_those_of_settings() -> None:
    found = read_serve(["--port", "1", "--detach", "--pid-file", "p", "--server.workers=2"])

    assert found == ServeOptions(
        detach=True, pid_file=Path("p"), flags=["--port", "1", "--server.workers=2"]
    )
    assert read_serve([]) == ServeOptions(detach=False, pid_file=None, flags=[])
    assert read_stop(["--pid-file=p", "--data_dir", "d"]) == StopOptions(
        Path("p"), ["--data_dir", "d"]
    )


@pytest.mark.parametrize("argv", [["--pid-file"], ["stray"]])
def test_what_is_wrong_is_told(argv: list[str]) -> None:
    with pytest.raises(Misused, match="see gemproxy serve --help"):
        read_serve(argv)
