"""`python -m redcell` is the command `redcell`."""

from redcell.cli import main

main()
