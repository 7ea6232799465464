"""A hook of mkdocs: files outside of docs/ that pages link to are pages of the site, which show them; and nothing is loaded from elsewhere.

On GitHub `../../examples/iam` is a folder to look into. The site has no folders outside of docs/, and no address of the repository, so it
has a page for each file that is linked, and one for each folder, with a list of its files. Markdown is rendered, other files are shown.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from tests.documentation.loads import elsewhere

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_LINK = re.compile(r"(?<=\]\()((?:\.\./)+[^)#\s]+)(#[^)\s]*)?(?=\))")
_ANY_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=(?:#[^)\s]*)?\))")
_HIDDEN = ("__pycache__",)


def on_files(files: Files, config: Any) -> Files:
    """Add a page for all that is linked."""
    for path in sorted(linked()):
        files.append(File.generated(config, source(path), content=_page(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Have links to files outside of docs/ lead to their pages; what is not there is left alone, for mkdocs to complain."""
    here = posixpath.dirname(page.file.src_uri)

    def lead(match: re.Match[str]) -> str:
        path = _outside(here, match[1])
        return posixpath.relpath(source(path), here or ".") if path is not None and path.exists() else match[0]

    return _LINK.sub(lead, markdown)


def on_post_build(config: Any) -> None:
    """Refuse a site that loads something from elsewhere. Raises PluginError, which ends mkdocs."""
    if found := elsewhere(Path(config.site_dir)):
        raise PluginError("the site loads from elsewhere:\n" + "\n".join(found))


def linked() -> set[Path]:
    """Return all that pages link to outside of docs/, and what is in the folders among it."""
    found: set[Path] = set()
    for page in DOCS.rglob("*.md"):
        for link, _ in _LINK.findall(page.read_text()):
            path = _outside(page.parent.relative_to(DOCS).as_posix(), link)
            if path is not None and path.exists():
                found |= {path, *_inside(path)}
    for page in [p for p in found if p.suffix == ".md"]:
        found |= {path for link in _ANY_LINK.findall(page.read_text()) if (path := _target(page, link)).exists() and not _is_page(path)}
    return found


def source(path: Path) -> str:
    """Name the page of a file or folder."""
    name = path.relative_to(ROOT).as_posix()
    return f"sources/{name}/index.md" if path.is_dir() else f"sources/{name.removesuffix('.md')}.md"


def _target(page: Path, link: str) -> Path:
    return Path(posixpath.normpath((page.parent / link).as_posix()))


def _is_page(path: Path) -> bool:
    return path.is_relative_to(DOCS)


def _outside(here: str, link: str) -> Path | None:
    path = Path(posixpath.normpath((DOCS / here / link).as_posix()))
    return None if path.is_relative_to(DOCS) or not path.is_relative_to(ROOT) else path


def _inside(path: Path) -> set[Path]:
    return {p for p in path.rglob("*") if not set(p.parts) & set(_HIDDEN)} if path.is_dir() else set()


def _page(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        here = posixpath.dirname(source(path))
        rows = [
            f"- [{p.name}{'/' * p.is_dir()}]({posixpath.relpath(source(p), here)})" for p in sorted(path.iterdir()) if p.name not in _HIDDEN
        ]
        return f"# {name}\n\n" + "\n".join(rows) + "\n"
    if path.suffix == ".md":
        return _ANY_LINK.sub(lambda match: _led(path, match[1]), path.read_text())
    # A fence longer than any that the file holds.
    return f"# {name}\n\n``````{ {'.tf': 'hcl', '.md': 'markdown'}.get(path.suffix, path.suffix[1:]) }\n{path.read_text()}\n``````\n"


def _led(page: Path, link: str) -> str:
    """Return a link of a file outside of docs/ as its page on the site has to have it."""
    path = _target(page, link)
    if not path.exists():
        return link
    to = path.relative_to(DOCS).as_posix() if _is_page(path) else source(path)
    return posixpath.relpath(to, posixpath.dirname(source(page)))
