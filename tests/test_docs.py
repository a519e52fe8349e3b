"""The papers beside the code say what the code does."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from landplan.cli import cli
from landplan.project import Project

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group: click.Group, prefix: str = "landplan") -> list[str]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append(f"{prefix} {name}")
    return found


@pytest.mark.parametrize("command", commands(cli))
def test_every_command_is_in_the_readme(command):
    *group, name = command.split()
    assert re.search(rf"`{' '.join(group)} (\w+\\\|)*{name}\b", README), command


def test_every_command_says_what_it_does_in_both_languages():
    for command in [cli, *cli.commands.values()]:
        text = command.help or ""
        assert re.search(r"[\u4e00-\u9fff]", text) and re.search(r"[A-Za-z]{4}", text), command.name


def test_the_project_file_of_the_readme_is_one():
    blocks = re.findall(r"```toml\n(.*?)```", README, flags=re.S)
    assert len(blocks) == 1
    Project.model_validate(tomllib.loads(blocks[0]))


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    monkeypatch.chdir(tmp_path)
    done: dict[str, object] = {}
    exec(compile(code.replace('"gis_data', f'"{ROOT}/gis_data'), "README.md", "exec"), done)
    assert (tmp_path / "planner.html").stat().st_size > 100_000


def test_the_changelog_keeps_the_judgements_that_change_apart():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Judgements that change" in text


def test_no_file_names_a_path_of_a_machine_or_a_host_of_packages():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    forbidden = re.compile(
        "|".join(
            (
                "pypi" + r"\.org",
                "python" + "hosted",
                "npmjs" + r"\.",
                "deb" + r"\.debian",
                "/" + "work/",
                "/ro" + "ot/",
            )
        )
    )
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in (
            ".py",
            ".md",
            ".toml",
            ".yaml",
            ".csv",
            ".js",
            ".css",
            ".html",
            ".txt",
            ".ipynb",
            "",
        ):
            found = forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, (name, found and found.group(0))
