"""Law as dated, cited data: rulebooks are loaded, linted, shown, and held against frames of parcels."""

from __future__ import annotations

from landplan.rules.decisions import OVERRIDE, apply_overrides, exempt_evaluations
from landplan.rules.evaluate import evaluate_rules
from landplan.rules.industry import resolve_industry
from landplan.rules.lint import lint_rulebook
from landplan.rules.load import load_rulebook
from landplan.rules.model import Answer, Book, Limit, Rule, Rulebook
from landplan.rules.show import show_rules

__all__ = [
    "OVERRIDE",
    "Answer",
    "Book",
    "Limit",
    "Rule",
    "Rulebook",
    "apply_overrides",
    "evaluate_rules",
    "exempt_evaluations",
    "lint_rulebook",
    "load_rulebook",
    "resolve_industry",
    "show_rules",
]
