"""The pages in a real browser: no error on the console, nothing fetched, axe finds nothing, keys work, they print."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from cueflow.tasks.report.cohort import cohort_page
from cueflow.tasks.report.matrix import make_matrix
from cueflow.tasks.report.session import session_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.slow
_ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def pages(rows, tmp_path_factory) -> Path:
    """A cohort of 12 subjects in two visits, and the page of a second visit."""
    out = tmp_path_factory.mktemp("pages")
    sessions, values = [], []
    for k in range(24):
        names = {"session_id": f"S{k:03d}", "subject_id": f"P{k // 2:02d}", "visit": str(k % 2 + 1)}
        sessions.append(rows.session_row(**names))
        values += [row | names for row in rows.biomarker_rows(phases=("session",), seed=k)]
    frame, biomarkers = rows.frame("sessions", sessions), rows.frame("biomarkers", values)
    groups = {f"P{k:02d}": "ab"[k % 2] for k in range(12)}
    (out / "index.html").write_text(cohort_page(frame, biomarkers, groups=groups), encoding="utf-8")
    parts = rows.session_parts(1800) | {
        "session": rows.session_row(session_id="S005", subject_id="P02", visit="2", duration_s=1800.0),
        "biomarkers": biomarkers.filter(pl.col("session_id") == "S005"),
    }
    page = session_page(cohort=make_matrix(frame, biomarkers), **parts)
    (out / "S005.html").write_text(page, encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, pages):
    """Open a page; everything that the console says and every request is kept."""
    contexts = []

    def go(name, **options):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)  # on a busy machine
        page.said, page.requests = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((pages / name).as_uri())
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("name", "scheme"), [("index.html", "light"), ("S005.html", "light")])
def test_no_error_no_request_and_axe_is_content(visit, pages, name, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(name, color_scheme=scheme)
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    wrong = [(v["id"], len(v["nodes"]), v["nodes"][0]["html"][:200]) for v in found.response["violations"]]
    assert wrong == []
    assert page.said == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    assert (pages / name).stat().st_size < 5e6


@pytest.mark.parametrize("name", ["index.html", "S005.html"])
def test_the_dark_colours_have_contrast_too(visit, name):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(name, color_scheme="dark")
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    # Hundreds of rows look alike, and each takes its time.
    page.evaluate("for (const t of document.querySelectorAll('tbody')) while (t.rows.length > 12) t.deleteRow(-1)")
    found = Axe().run(page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]})
    assert found.response["passes"], "nothing was looked at"
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]] == []


def test_the_time_line_zooms_by_key_and_by_reason(visit):
    page = visit("S005.html")
    assert page.locator("#whole").is_disabled()
    page.locator("a.span").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "lanes"
    page.keyboard.press("+")
    assert page.locator("#whole").is_enabled()
    page.keyboard.press("+")
    near = page.locator("#zoomed").inner_text()
    page.keyboard.press("-")
    assert page.locator("#zoomed").inner_text() not in {"", near}
    page.keyboard.press("ArrowRight")
    assert page.locator("#now").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#whole").is_disabled()
    assert page.said == []


def test_values_are_found_by_typing(visit):
    page = visit("S005.html")
    before = page.locator("tr.value:visible").count()
    page.locator("#find").fill("rmssd")
    assert 0 < page.locator("tr.value:visible").count() < before


def test_the_data_behind_a_table_can_be_had(visit):
    page = visit("S005.html")
    for link, name in (("values.csv.gz", "values.csv"), ("predictions.csv", "predictions.csv")):
        with page.expect_download() as waiting:
            page.locator(f"a[download='{link}']").click()
        assert waiting.value.suggested_filename == name  # what is packed is handed out unpacked
        text = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert text.startswith("session_id,subject_id,visit,")
        assert text.count("\n") > 1
    assert page.said == []


@pytest.mark.parametrize("name", ["index.html", "S005.html"])
def test_it_prints(visit, name):
    page = visit(name)
    printed = page.pdf(format="A4", print_background=True)
    assert printed[:5] == b"%PDF-"
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1")
    assert not page.locator("#tools").is_visible()


def test_it_fits_a_laptop(visit):
    for name in ("index.html", "S005.html"):
        page = visit(name)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
