"""Row security on the tables that hold people, so that a forgotten scope shows nothing.

PostgreSQL only. The rule is inside of COALESCE on purpose: the planner must not guess how many
rows it leaves, see docs/decisions/0072-two-walls.md.
"""

from typing import Final

from alembic import op

revision = "0038"
down_revision = "0028"
branch_labels = None
depends_on = None

_REACH: Final = "(SELECT nullif(current_setting('jingwei.reach', true), '')::int8multirange)"
_WITHIN: Final = f"coalesce(area_no <@ {_REACH}, false)"
_ALL: Final = f"coalesce({_REACH} = '{{(,)}}'::int8multirange, false)"
_OF_RESIDENT: Final = _ALL + " OR EXISTS (SELECT 1 FROM resident WHERE id = resident_id)"  # noqa: S608
_RULES: Final = {
    "household": _WITHIN,
    "resident": _WITHIN,
    "visit": _WITHIN,
    "note": _WITHIN,
    "resident_identifier": _OF_RESIDENT,
}


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name != "postgresql":
        return
    for table, rule in _RULES.items():
        db.exec_driver_sql(f"CREATE POLICY reach ON {table} USING ({rule})")
        db.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        db.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    db = op.get_bind()
    if db.dialect.name != "postgresql":
        return
    for table in _RULES:
        db.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        db.exec_driver_sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        db.exec_driver_sql(f"DROP POLICY reach ON {table}")
