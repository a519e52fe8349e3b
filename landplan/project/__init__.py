"""
The project file ``landplan.toml``: which files play which part, and which rulebook judges them.

* parts    what it may say
* load     read and checked
* sources  settings as sources, and which inputs have changed since
"""

from landplan.project.load import load_project, project_of_file, project_rulebook
from landplan.project.parts import Project, RegisterPart
from landplan.project.sources import (
    changed_sources,
    ledger_source,
    own_source,
    profile_source,
    settings_source,
)

__all__ = [
    "Project",
    "RegisterPart",
    "changed_sources",
    "ledger_source",
    "load_project",
    "own_source",
    "profile_source",
    "project_of_file",
    "project_rulebook",
    "settings_source",
]
