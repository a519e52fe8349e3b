"""``python -m landplan``: the command line where no console script is installed."""

from landplan.cli import main

main()
