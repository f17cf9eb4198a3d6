"""The command line: one module per group of commands. Begin with `main`.

Modules that commands need only while they run (the server, SQLAlchemy, rich) are imported inside the functions that
use them: `exchange --help` and the commands on the log start in a fraction of the time.
"""
