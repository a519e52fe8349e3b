"""Tables and sentences for the terminal; every character of ours exists in cp936."""

from landplan.console.files import print_inspections
from landplan.console.judged import (
    check_summary,
    print_check,
    print_issues,
    print_list,
    print_reasons,
    print_rules,
)
from landplan.console.lines import fault_lines, print_fault, print_frame

__all__ = [
    "check_summary",
    "fault_lines",
    "print_check",
    "print_fault",
    "print_frame",
    "print_inspections",
    "print_issues",
    "print_list",
    "print_reasons",
    "print_rules",
]
