"""`python -m tests.ledger_page` writes the ledger's fields, as the models describe them, into docs/reference/ledger.md."""

from __future__ import annotations

from pathlib import Path

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, LedgerService
from ecs_release.api.meta import Model
from ecs_release.aws.ledger.items import PROJECTED

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "ledger.md"
_BEGIN, _END = "<!-- fields: python -m tests.ledger_page -->\n", "<!-- end of fields -->\n"


def fields() -> str:
    """Write tables of Markdown."""
    parts = [
        "All entries and current records begin with these:\n",
        _table(LedgerService),
        f"\nAn entry (kind `Entry`) has, in addition; `images` is a list of {{{_names(LedgerImage)}}}, `commitRange` is {{{_names(AttemptCommits)}}}:\n",
        _table(LedgerEntry, LedgerService),
        "\nA current record (kind `Current`) has, in addition:\n",
        _table(LedgerCurrent, LedgerService),
        f"\nEach of `wanted`, `deployed`, `ready` and `observed` has; `images` is a list of {{{_names(CurrentImage)}}}:\n",
        _table(CurrentPart),
        "\nA numbered release (kind `Release`) has:\n",
        _table(LedgerRelease),
        f"\nThe indexes hold of an entry: {', '.join(f'`{f}`' for f in PROJECTED)}.\n",
    ]
    return "\n".join(parts)


def page(text: str) -> str:
    """Put the tables where the page has room for them."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{fields()}\n{_END}{after}"


def _table(model: type[Model], base: type[Model] | None = None) -> str:
    left_out = base.model_fields if base else {}
    found = [(info.alias, info.description) for name, info in model.model_fields.items() if name not in left_out]
    return "\n".join(["| field | |", "| --- | --- |", *(f"| `{name}` | {text} |" for name, text in found), ""])


def _names(model: type[Model]) -> str:
    return ", ".join(str(info.alias) for info in model.model_fields.values())


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
