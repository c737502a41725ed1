CREATE TABLE grid_version (
  fid {number} CONSTRAINT pk_grid_version PRIMARY KEY {auto},
  grid_id {id} NOT NULL,
  rev {big} NOT NULL,
  area_no {big} NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  community_id {id} NOT NULL,
  area_m2 {big} NOT NULL,
  valid_from_ms {big} NOT NULL,
  valid_to_ms {big},
  published_by {id},
  change_id {id},
  recorded_ms {big} NOT NULL,
  geom {multipolygon} NOT NULL,
  CONSTRAINT uq_grid_version_grid_id_valid_from_ms UNIQUE (grid_id, valid_from_ms),
  CONSTRAINT ck_grid_version_period CHECK (valid_to_ms IS NULL OR valid_to_ms > valid_from_ms),
  CONSTRAINT ck_grid_version_area CHECK (area_m2 >= 0){apart}
);

CREATE INDEX ix_grid_version_area_no ON grid_version (area_no);

CREATE INDEX ix_grid_version_change_id ON grid_version (change_id);

CREATE TABLE boundary_change (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  state TEXT NOT NULL,
  area_id {id} NOT NULL,
  area_no {big} NOT NULL,
  reason TEXT NOT NULL,
  content TEXT NOT NULL,
  base TEXT NOT NULL,
  drawn_by {id} NOT NULL,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  published_by {id},
  published_ms {big},
  result TEXT,
  CONSTRAINT pk_boundary_change PRIMARY KEY (id),
  CONSTRAINT ck_boundary_change_state CHECK (state IN ('draft', 'published', 'discarded')),
  CONSTRAINT ck_boundary_change_rev CHECK (rev >= 1),
  CONSTRAINT ck_boundary_change_result CHECK ((state = 'published') = (result IS NOT NULL))
);

CREATE INDEX ix_boundary_change_area_no ON boundary_change (area_no);

CREATE INDEX ix_boundary_change_created_ms_id ON boundary_change (created_ms, id);

CREATE TABLE grid_lineage (
  change_id {id} NOT NULL,
  parent_id {id} NOT NULL,
  child_id {id} NOT NULL,
  at_ms {big} NOT NULL,
  area_m2 {big} NOT NULL,
  parent_ppm {big} NOT NULL,
  child_ppm {big} NOT NULL,
  households {big} NOT NULL,
  CONSTRAINT pk_grid_lineage PRIMARY KEY (change_id, parent_id, child_id),
  CONSTRAINT ck_grid_lineage_shares CHECK (
    parent_ppm BETWEEN 0 AND 1000000 AND child_ppm BETWEEN 0 AND 1000000
  ),
  CONSTRAINT ck_grid_lineage_amounts CHECK (area_m2 >= 0 AND households >= 0)
);

CREATE INDEX ix_grid_lineage_parent_id ON grid_lineage (parent_id);

CREATE INDEX ix_grid_lineage_child_id ON grid_lineage (child_id);

