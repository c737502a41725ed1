"""Service points of areas, in versions."""

from typing import Final

from alembic import op

revision = "0030"
down_revision = "0027"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_POINT: Final = """CREATE TABLE service_point (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  area_id {id} NOT NULL,
  area_no {big} NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  phone TEXT,
  lon_e7 {big} NOT NULL,
  lat_e7 {big} NOT NULL,
  time_zone TEXT NOT NULL,
  hours TEXT NOT NULL,
  valid_from_ms {big} NOT NULL,
  valid_to_ms {big},
  set_by {id} NOT NULL,
  CONSTRAINT pk_service_point PRIMARY KEY (id, rev),
  CONSTRAINT ck_service_point_period CHECK (valid_to_ms IS NULL OR valid_to_ms > valid_from_ms)
)"""
_INDEXES: Final = (
    "CREATE INDEX ix_service_point_area_no ON service_point (area_no)",
    "CREATE UNIQUE INDEX uq_service_point_in_force ON service_point (id) WHERE {live}",
)


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql(_POINT.format(**_WORDS[db.dialect.name]))
    for statement in _INDEXES:
        db.exec_driver_sql(statement.format(live="valid_to_ms IS NULL"))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE service_point")
