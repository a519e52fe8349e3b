"""
Save and load assessments.

The GeoPackage is the archive of a judgement: what was measured, by which rules, from which files and for
which day.
"""

from landplan.store.geopackage import compare_assessments, load_assessment, save_assessment

__all__ = ["compare_assessments", "load_assessment", "save_assessment"]
