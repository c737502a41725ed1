"""What makes the SQLite store a GeoPackage: its identity, catalogue tables and R-trees.

Source: OGC GeoPackage 1.3, clauses 1.1.1 and 2.1, annexes C and F.3. The update triggers are
those of corrigendum 1.4 (`update6`, `update7`): the earlier `update1` relies on INSERT OR
REPLACE, which an `ON CONFLICT … DO UPDATE` around it turns into an error.

Extents in `gpkg_contents` stay NULL on purpose: a stale extent is worse than none, and readers
take the extent from the R-tree.
"""

from typing import Final

from sqlalchemy import Connection

APPLICATION_ID: Final = 0x47504B47
USER_VERSION: Final = 10300
GEOMETRY_COLUMN: Final = "geom"

_WGS84: Final = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,'
    'AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,'
    'AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],'
    'AUTHORITY["EPSG","4326"]]'
)
_CGCS2000: Final = (
    'GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",'
    'SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],'
    'AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4490"]]'
)
_SYSTEMS: Final = (
    ("Undefined cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    ("WGS 84", 4326, "EPSG", 4326, _WGS84),
    ("CGCS2000", 4490, "EPSG", 4490, _CGCS2000),
)
_CATALOGUE: Final = (
    """CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL,
  description TEXT
)""",
    """CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY,
  data_type TEXT NOT NULL,
  identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE,
  min_y DOUBLE,
  max_x DOUBLE,
  max_y DOUBLE,
  srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
)""",
    """CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL,
  m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
)""",
    """CREATE TABLE gpkg_extensions (
  table_name TEXT,
  column_name TEXT,
  extension_name TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
)""",
)
# `{box}` and the four conditions are written out by `_trigger_sql`.
_TRIGGERS: Final = {
    "insert": """AFTER INSERT ON {t} WHEN {full}
BEGIN INSERT OR REPLACE INTO {r} VALUES (NEW.fid, {box}); END""",
    "update2": """AFTER UPDATE OF {c} ON {t} WHEN OLD.fid = NEW.fid AND {bare}
BEGIN DELETE FROM {r} WHERE id = OLD.fid; END""",
    "update3": """AFTER UPDATE ON {t} WHEN OLD.fid != NEW.fid AND {full}
BEGIN DELETE FROM {r} WHERE id = OLD.fid;
INSERT OR REPLACE INTO {r} VALUES (NEW.fid, {box}); END""",
    "update4": """AFTER UPDATE ON {t} WHEN OLD.fid != NEW.fid AND {bare}
BEGIN DELETE FROM {r} WHERE id IN (OLD.fid, NEW.fid); END""",
    "update6": """AFTER UPDATE OF {c} ON {t} WHEN OLD.fid = NEW.fid AND {full} AND {was_full}
BEGIN UPDATE {r} SET minx = ST_MinX(NEW.{c}), maxx = ST_MaxX(NEW.{c}),
miny = ST_MinY(NEW.{c}), maxy = ST_MaxY(NEW.{c}) WHERE id = NEW.fid; END""",
    "update7": """AFTER UPDATE OF {c} ON {t} WHEN OLD.fid = NEW.fid AND {full} AND {was_bare}
BEGIN INSERT INTO {r} VALUES (NEW.fid, {box}); END""",
    "delete": """AFTER DELETE ON {t} WHEN OLD.{c} NOT NULL
BEGIN DELETE FROM {r} WHERE id = OLD.fid; END""",
}


def create_catalogue(db: Connection) -> None:
    """Turn an empty SQLite database into an empty GeoPackage."""
    db.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    db.exec_driver_sql(f"PRAGMA user_version = {USER_VERSION}")
    for statement in _CATALOGUE:
        db.exec_driver_sql(statement)
    db.exec_driver_sql(
        "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, "
        "organization_coordsys_id, definition) VALUES (?, ?, ?, ?, ?)",
        list(_SYSTEMS),
    )


def drop_catalogue(db: Connection) -> None:
    """Undo `create_catalogue`."""
    for table in ("extensions", "geometry_columns", "contents", "spatial_ref_sys"):
        db.exec_driver_sql(f"DROP TABLE gpkg_{table}")
    db.exec_driver_sql("PRAGMA application_id = 0")
    db.exec_driver_sql("PRAGMA user_version = 0")


def add_features(db: Connection, table: str, kind: str) -> None:
    """Register an existing table with `fid` and `geom` as a feature table, with its R-tree.

    `kind` is the geometry type name; rows already there are not indexed.
    """
    db.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) "
        "VALUES (?, 'features', ?, 4326)",
        (table, table),
    )
    db.exec_driver_sql(
        "INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, 4326, 0, 0)",
        (table, GEOMETRY_COLUMN, kind),
    )
    db.exec_driver_sql(
        "INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index', "
        "'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
        (table, GEOMETRY_COLUMN),
    )
    rtree = rtree_name(table)
    db.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {_quoted(rtree)} USING rtree(id, minx, maxx, miny, maxy)"
    )
    for suffix in _TRIGGERS:
        db.exec_driver_sql(_trigger_sql(table, suffix))


def drop_features(db: Connection, table: str) -> None:
    """Undo `add_features`; the table itself stays."""
    rtree = rtree_name(table)
    for suffix in _TRIGGERS:
        db.exec_driver_sql(f"DROP TRIGGER {_quoted(f'{rtree}_{suffix}')}")
    db.exec_driver_sql(f"DROP TABLE {_quoted(rtree)}")
    for catalogue in ("gpkg_extensions", "gpkg_geometry_columns", "gpkg_contents"):
        db.exec_driver_sql(
            f"DELETE FROM {catalogue} WHERE table_name = ?",  # noqa: S608 - three constants
            (table,),
        )


def add_attributes(db: Connection, table: str) -> None:
    """Register a table without geometry; others stay invisible to GIS programs."""
    db.exec_driver_sql(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
        "VALUES (?, 'attributes', ?)",
        (table, table),
    )


def rtree_name(table: str) -> str:
    """Return the name of a feature table's R-tree."""
    return f"rtree_{table}_{GEOMETRY_COLUMN}"


def _trigger_sql(table: str, suffix: str) -> str:
    rtree, geom = rtree_name(table), _quoted(GEOMETRY_COLUMN)
    body = _TRIGGERS[suffix].format(
        t=_quoted(table),
        c=geom,
        r=_quoted(rtree),
        box=", ".join(f"ST_{side}(NEW.{geom})" for side in ("MinX", "MaxX", "MinY", "MaxY")),
        full=f"(NEW.{geom} NOTNULL AND NOT ST_IsEmpty(NEW.{geom}))",
        bare=f"(NEW.{geom} ISNULL OR ST_IsEmpty(NEW.{geom}))",
        was_full=f"(OLD.{geom} NOTNULL AND NOT ST_IsEmpty(OLD.{geom}))",
        was_bare=f"(OLD.{geom} ISNULL OR ST_IsEmpty(OLD.{geom}))",
    )
    return f"CREATE TRIGGER {_quoted(f'{rtree}_{suffix}')} {body}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
