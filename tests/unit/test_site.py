"""The documentation's site has everything with it: `make docs` refuses one that loads something from elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mkdocs.exceptions import PluginError

from tests.documentation import site
from tests.documentation.loads import NEVER_ASKED, elsewhere


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ("a.html", '<script src="//cdn.example/x.js"></script>', ["//cdn.example/x.js"]),
        ("a.html", '<script>load("https://cdn.example/x.js")</script>', ["https://cdn.example/x.js"]),
        ("a.html", '<link rel="stylesheet" href="https://fonts.example/css">', ["https://fonts.example/css"]),
        ("a.html", '<link href="https://fonts.example" rel="preconnect" crossorigin/>', ["https://fonts.example"]),
        ("a.html", '<img src="x.png" srcset="y.png 1x, https://img.example/z.png 2x">', ["https://img.example/z.png"]),
        ("a.html", '<p style="background: url(https://img.example/z.png)">', ["https://img.example/z.png"]),
        ("a.html", '<style>@import "https://fonts.example/css";</style>', ["https://fonts.example/css"]),
        ("a.html", '<pre class="mermaid"><code>a --> b</code></pre>', ["a Mermaid diagram, which a script from elsewhere draws: make it a picture"]),
        ("a.html", '<a href="https://example.com">x</a><link rel="canonical" href="https://example.com"><img src="../x.png">', []),
        ("a.html", '<code>&lt;script src="https://cdn.example/x.js"&gt;</code> "https://example.com"', []),
        ("a.html", "<script>var a = '/x'; // see https://example.com\n</script>", []),
        ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><a href="https://example.com"/><image href="https://img.example/z.png"/></svg>',
         ["https://img.example/z.png"]),
        ("a.svg", "<svg><style>@font-face { src: url(data:font/woff;base64,AAAA) }</style></svg>", []),
        ("a.css", "/* https://example.com */ a { background: url('//img.example/z.png') }", ["//img.example/z.png"]),
        ("a.js", 'fetch("https://cdn.example/x")', ["https://cdn.example/x"]),
        ("a.js", 'draw("https://unpkg.com/mermaid@11/dist/mermaid.min.js")', []),
        ("a.txt", '<script src="https://cdn.example/x.js"></script>', []),
    ],
)  # fmt: skip
def test_what_is_loaded_from_elsewhere(name: str, text: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_text(text)
    assert elsewhere(tmp_path) == [f"deep/{name}: {one}" for one in found]


def test_a_site_that_loads_something_is_refused(tmp_path: Path) -> None:
    config = SimpleNamespace(site_dir=str(tmp_path))
    site.on_post_build(config)
    (tmp_path / "a.html").write_text('<script src="https://cdn.example/x.js"></script>')
    with pytest.raises(PluginError, match=r"a\.html: https://cdn\.example/x\.js"):
        site.on_post_build(config)


def test_markdown_outside_of_docs_is_a_page_whose_links_lead_to_pages() -> None:
    contributing = site.ROOT / "CONTRIBUTING.md"

    text = site._page(contributing)

    assert site.source(contributing) == "sources/CONTRIBUTING.md"
    assert "](../explanation/architecture.md)" in text
    assert "](LICENSE.md)" in text
    assert site.ROOT / "LICENSE" in site.linked()


def test_why_scripts_do_not_ask_holds() -> None:
    """The theme asks GitHub or GitLab where the repository is named."""
    assert NEVER_ASKED
    assert "repo_url" not in (site.ROOT / "mkdocs.yml").read_text()
