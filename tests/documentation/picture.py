"""The README's picture of a terminal: what the plugin really prints, in its colours, as an SVG.

`python -m tests.documentation.picture` makes it anew, with the variables of a playground (`. build/playground/env`) where the set of staging
was released at bad0bad, as the tutorial's last step suggests. A test holds its words against what the plugin prints today.
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "terminal.svg"
COMMANDS = ("kubectl ecs-release board -n shop", "kubectl ecs-release status releaseset/storefront-staging -n shop")
COLUMNS = 132
_DEADLINE_S = 60
# Links of hundreds of characters, over several lines.
_LEFT_OUT = re.compile(r"https://|\$252F|ECS events:")
_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", re.DOTALL)


def printed(environment: Mapping[str, str]) -> list[str]:
    """Run the commands on a terminal, and return what each prints, colours included."""
    return [_terminal(command, environment) for command in COMMANDS]


def svg(outputs: list[str]) -> str:
    """Draw it. No font comes from elsewhere, and the same output gives the same file."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    for command, output in zip(COMMANDS, outputs, strict=True):
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        shown = output.replace("\r\n", "\n").partition("\nEvents:")[0].rstrip()
        lines = [line for line in shown.split("\n") if not _LEFT_OUT.search(line)]
        console.print(Text.from_ansi("\n".join(lines)), end="\n\n")
    return _FROM_ELSEWHERE.sub("", console.export_svg(title="kubectl ecs-release", unique_id="terminal"))


def words(picture: str) -> set[str]:
    """Return the words of a picture that are the same whenever it is made: no ids, ages or numbers."""
    text = html.unescape(re.sub(r"<[^>]+>", " ", picture.partition("</defs>")[2])).replace("\xa0", " ")
    return set(re.findall(r"(?<![\w-])[A-Za-z][A-Za-z]{3,}(?![\w-])", text))


def _terminal(command: str, environment: Mapping[str, str]) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    process = subprocess.Popen(command.split(), stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color"})
    os.close(theirs)
    read, end = b"", time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:
                # Linux says EIO when the last process has closed the other end.
                break
            read += data
        elif process.poll() is not None:
            break
    os.close(ours)
    process.wait(_DEADLINE_S)
    return read.decode()


if __name__ == "__main__":
    PICTURE.write_text(svg(printed(os.environ)))
    print(f"{PICTURE}: {len(words(PICTURE.read_text()))} words", file=sys.stderr)
