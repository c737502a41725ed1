"""What a household or a resident left when it moved, and when: the history of a dwelling."""

from typing import Final

from alembic import op

revision = "0034"
down_revision = "0032"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_INDEX: Final = """CREATE INDEX ix_claim_moved_from_id ON claim (moved_from_id)
  WHERE moved_from_id IS NOT NULL"""
_UP: Final = (
    "ALTER TABLE claim ADD COLUMN moved_from_id {id}",
    "ALTER TABLE claim ADD COLUMN moved_ms {big}",
    _INDEX,
)
_DOWN: Final = (
    "DROP INDEX ix_claim_moved_from_id",
    "ALTER TABLE claim DROP COLUMN moved_ms",
    "ALTER TABLE claim DROP COLUMN moved_from_id",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _UP:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    for statement in _DOWN:
        op.get_bind().exec_driver_sql(statement)
