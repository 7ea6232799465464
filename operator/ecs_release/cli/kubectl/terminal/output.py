"""Prints data on stdout and messages on stderr; colours on a terminal only.

It is the plugin's only writer: whatever people or AWS have put into names and messages reaches the terminal as visible text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ecs_release.api.names import GROUP
from ecs_release.api.visible_text import visible
from ecs_release.cli.kubectl.terminal.tables import Row, lines

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST_ERROR = 2000


class Output:
    """The output of a command."""

    def __init__(self, environment: Mapping[str, str], stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        """NO_COLOR (no-color.org) and TERM=dumb switch colours off even on a terminal."""
        self.stdout = stdout if stdout is not None else sys.stdout
        self.stderr = stderr if stderr is not None else sys.stderr
        self.on_terminal = self.stdout.isatty()
        self.coloured = self.on_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """Rich's console on stdout. Off a terminal it neither wraps nor colours."""
        if self._console is None:
            from ecs_release.cli.kubectl.terminal.console import VisibleConsole

            self._console = VisibleConsole(
                file=self.stdout,
                no_color=not self.coloured,
                force_terminal=self.on_terminal,
                highlight=False,
                emoji=False,
                markup=False,
                soft_wrap=not self.on_terminal,
                width=None if self.on_terminal else 1000,
            )
        return self._console

    def write_line(self, text: str = "") -> None:
        """Print a line of data."""
        print(visible(text), file=self.stdout)

    def write_text(self, text: str) -> None:
        """Print a text of many lines, such as a page."""
        self.stdout.write(visible(text))

    def flush(self) -> None:
        """Print now what was written, for somebody who watches."""
        self.stdout.flush()

    def note(self, text: str) -> None:
        """Print a message on stderr, which scripts do not parse."""
        print(visible(text), file=self.stderr)

    def ask(self, question: str) -> None:
        """Print a question on stderr, to be answered on the same line."""
        print(visible(question), end=" ", file=self.stderr, flush=True)

    def rows(self, head: Sequence[str], rows: Sequence[Row], *, no_headers: bool = False) -> None:
        """Print a table as kubectl does."""
        for line in lines([] if no_headers else head, rows, coloured=self.coloured):
            # Its cells are visible; what is not are our own colours.
            print(line, file=self.stdout)

    def server_table(self, table: Mapping[str, Any], *, wide: bool = False, no_headers: bool = False, namespaces: bool = False) -> None:
        """Print the server's Table as `kubectl get` does: columns of priority 0, all of them when `wide`."""
        columns = [i for i, c in enumerate(table.get("columnDefinitions") or ()) if wide or not c.get("priority")]
        head = [str(table["columnDefinitions"][i]["name"]).upper() for i in columns]
        rows = [
            ([str(row["object"]["metadata"].get("namespace", ""))] if namespaces else [])
            + ["<none>" if row["cells"][i] is None else str(row["cells"][i]) for i in columns]
            for row in table.get("rows") or ()
        ]
        self.rows([*(["NAMESPACE"] if namespaces else []), *head], rows, no_headers=no_headers)

    def objects(self, objects: Sequence[Mapping[str, Any]], output: str, *, one: bool = False) -> None:
        """Print objects as the API server has them: json, yaml or name. `one`: the object itself, not a List."""
        if output == "name":
            for body in objects:
                self.write_line(f"{str(body['kind']).lower()}.{GROUP}/{body['metadata']['name']}")
            return
        whole = dict(objects[0]) if one else {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [dict(o) for o in objects]}
        self.data(whole, output)

    def data(self, data: Any, output: str) -> None:
        """Print data as json or yaml."""
        if output == "json":
            text = json.dumps(data, indent=4, ensure_ascii=False)
            # As escapes of JSON: then it is the same data still.
            self.write_line(text if visible(text) == text else json.dumps(data, indent=4))
            return
        import yaml

        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=140)
        self.write_text(text if visible(text) == text else yaml.safe_dump(data, sort_keys=False, width=140))


def write_error(message: str) -> None:
    """Print why a command ends, where there may be no Output yet. What is quoted may be of any length, and is cut."""
    cut = f"{message[:_LONGEST_ERROR]} ..." if len(message) > _LONGEST_ERROR else message
    print(f"error: {visible(cut)}", file=sys.stderr)
