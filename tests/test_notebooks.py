"""The notebooks run from top to bottom, and what they end in is a map that shows without a network."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_its_output(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_the_first_notebook_ends_in_a_map_that_shows_without_a_network(chromium, tmp_path):
    notebook = run(NOTEBOOKS[0])
    texts = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("149.93 万元/亩" in text for text in texts)
    html = notebook.cells[-1]["outputs"][0]["data"]["text/html"]
    page_file = tmp_path / "cell.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8><body>{html}</body>", encoding="utf-8")
    asked, said = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
            ],
        )
        page = browser.new_context(offline=True, viewport={"width": 1000, "height": 800}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(page_file.as_uri())
        frame = page.frame_locator("iframe")
        frame.get_by_text("可出让地块", exact=True).first.wait_for(timeout=20_000)
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "about:", "data:"))] == []
    assert said == []


def test_the_second_notebook_walks_a_year_whose_books_close():
    notebook = run(NOTEBOOKS[1])
    texts = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "地块 A-2 已为“示例项目甲”占用至 2026-07-31" in texts
    assert "2026-08-01 已到期，可以再占用" in texts
    assert "总账与写入时一致" in texts
