"""Fixtures of the whole suite: real data, the browser, and the sample judged once."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no fault of the code: speed is measured in benchmarks.
settings.register_profile("landplan", deadline=None)
settings.load_profile("landplan")

# Benchmarks are run by hand: they import one another by their folder, and need peers that tests do not.
collect_ignore_glob = ["bench/*"]

ROOT = Path(__file__).resolve().parents[1]
AS_OF = date(2026, 11, 20)


def _absent(what: str) -> None:
    """A missing tool is a failure where everything must run, and a clear word on a laptop."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and nothing is skipped in CI")
    pytest.skip(f"{what} is missing; these tests run where it is installed")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Path(os.environ.get("LANDPLAN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        _absent("the folder of real data (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("LANDPLAN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        _absent("Chromium")
    return str(found)


@pytest.fixture(scope="session")
def sample() -> Path:
    """The committed sample project, never written to."""
    return ROOT / "gis_data" / "sample"


@pytest.fixture(scope="session")
def judged(sample: Path):
    """The sample, judged on the day the documentation speaks of."""
    from landplan.pipeline import assess

    return assess(sample, as_of=AS_OF)
