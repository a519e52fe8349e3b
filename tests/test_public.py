"""The public surface and the two dictionaries: everything promised is there, everything there is promised."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import landplan
from landplan.issues import codes
from landplan.schema import dictionary

PACKAGE = Path(landplan.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FAMILIES = {"FILE", "ENC", "CRS", "GEOM", "ATTR", "TXT", "RASTER", "LIMIT", "SEC", "LEDGER"}
CHECKS = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "numpydoc_validation"
]["checks"]


def promised() -> dict[str, str]:
    """Names and homes of the imports that type checkers see."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    return {
        name.name: str(line.module)
        for line in block.body
        if isinstance(line, ast.ImportFrom)
        for name in line.names
    }


def constants() -> dict[str, set[str]]:
    """Every text in the code that looks like an issue code, and the modules it stands in."""
    found: dict[str, set[str]] = {}
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"[A-Z]{2,}\.[A-Z0-9_]+", str(node.value)):
                found.setdefault(node.value, set()).add(str(file.relative_to(PACKAGE)))
    return found


def test_the_public_names_are_those_that_type_checkers_see():
    assert set(landplan.__all__) == set(promised())
    assert len(landplan.__all__) == len(set(landplan.__all__))
    assert 25 <= len(landplan.__all__) <= 32
    assert set(landplan.__all__) == set(dir(landplan))


@pytest.mark.parametrize("name", landplan.__all__)
def test_a_public_name_resolves_to_what_its_home_holds(name):
    home = importlib.import_module(promised()[name])
    assert getattr(landplan, name) is getattr(home, name)
    assert name in home.__all__


@pytest.mark.parametrize("name", landplan.__all__)
def test_a_public_name_has_a_docstring_of_the_house(name):
    wrong = [(code, text) for code, text in validate(f"landplan.{name}")["errors"] if code in CHECKS]
    assert wrong == []


def test_an_unknown_name_is_an_attribute_error_and_not_a_lookup():
    with pytest.raises(AttributeError, match="no attribute 'asses'"):
        _ = landplan.asses  # type: ignore[attr-defined]


def test_every_module_says_what_it_gives():
    silent = [
        str(file) for file in MODULES if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_the_tree_in_the_docstring_names_every_module_of_the_package():
    tree = landplan.__doc__ or ""
    names = [
        module.name for module in pkgutil.iter_modules([str(PACKAGE)]) if not module.name.startswith("__")
    ]
    missing = [name for name in names if not re.search(rf"\b{name}\b", tree)]
    assert missing == []


def test_every_code_that_is_raised_is_declared():
    undeclared = {code: places for code, places in constants().items() if code not in codes()}
    assert undeclared == {}


def test_every_code_that_is_declared_is_raised_somewhere():
    assert sorted(set(codes()) - set(constants())) == []


def test_every_code_belongs_to_a_family_and_has_its_words():
    assert {code.split(".")[0] for code in codes()} <= FAMILIES
    for code in codes().values():
        assert code.severity in ("error", "warning", "info"), code.code
        assert code.party, code.code
        for text in (code.message_zh, code.message_en):
            assert text, code.code
        assert re.search(r"[\u4e00-\u9fff]", code.message_zh), code.code
        assert not re.search(r"[\u4e00-\u9fff]", code.message_en), code.code
        # A fault that is more than a note comes with its mend, in both languages or in none.
        assert bool(code.mend_zh) == bool(code.mend_en), code.code
        assert code.severity == "info" or code.mend_zh, code.code


def test_every_column_that_a_step_makes_is_made_on_the_sample(judged):
    tables = {
        name: getattr(judged, name)
        for name in ("parcels", "zones", "overlaps", "indicators", "events", "findings", "issues")
    }
    dead = []
    for declared in dictionary().values():
        for table in declared.tables:
            if table not in tables or declared.made_by == "read":
                continue
            frame = tables[table]
            there = [str(name) for name in (frame.index.name, *frame.columns)]
            pattern = re.escape(declared.name).replace(r"\*", "[a-z][a-z0-9_]*")
            if not any(re.fullmatch(pattern, name) for name in there):
                dead.append(f"{table}.{declared.name}")
    assert dead == []


def test_every_column_of_the_sample_is_declared(judged):
    known = dictionary()
    patterns = [re.escape(name).replace(r"\*", "[a-z][a-z0-9_]*") for name in known]
    for table in ("parcels", "zones", "overlaps", "indicators", "events", "findings", "issues"):
        for name in getattr(judged, table).columns:
            assert name == "geometry" or any(re.fullmatch(pattern, str(name)) for pattern in patterns), (
                f"{table}.{name}"
            )
