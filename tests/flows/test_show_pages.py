"""Pages of sessions are shown to those who have the password, one by one."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request

import pytest

from cueflow.flows.serving.pages import show_pages

WORD = "cueflow:secret"


@pytest.fixture
def address(tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "s001.html").write_text("<p>one</p>")
    (tmp_path / "other.html").write_text("mine")
    return show_pages(tmp_path / "pages", port=0, word=WORD)


def ask(url, word):
    head = {"Authorization": f"Basic {base64.b64encode(word.encode()).decode()}"} if word else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=head), timeout=20) as answer:  # noqa: S310
        return answer.read().decode()


def test_a_page_is_shown_with_the_password(address):
    assert ask(f"{address}/s001.html", WORD) == "<p>one</p>"
    assert address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("path", "word", "code"),
    [
        ("s001.html", "", 401),
        ("s001.html", "cueflow:guess", 401),
        ("", "", 401),
        ("", WORD, 404),  # no list of what is there
        ("..%2fother.html", WORD, 404),
        ("../other.html", WORD, 404),
    ],
)
def test_nothing_else_is_shown(address, path, word, code):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(f"{address}/{path}", word)
    refused.value.close()
    assert refused.value.code == code
