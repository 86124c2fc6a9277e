"""The cohort on Apache Spark: ranges of bytes to lines, lines to their patients, patients to rows.

Only the modules of this package import PySpark or PyArrow, and nothing imports them before they
are asked for. `pieces` is planned by the driver; `reading`, `sharing` and `assessing` run on the
machines of the cluster; `cohort` ties them together.
"""
