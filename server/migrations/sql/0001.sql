-- The first schema, for both databases. Words in braces differ: see versions/0001_first.py.
-- A released file of this folder is never changed; a change of the schema is a new revision.

CREATE TABLE incarnation (
  id {id} NOT NULL,
  created_ms {big} NOT NULL,
  CONSTRAINT pk_incarnation PRIMARY KEY (id)
);

CREATE TABLE area (
  id {id} NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  level {big} NOT NULL,
  parent_id {id},
  lo {big} NOT NULL,
  hi {big} NOT NULL,
  CONSTRAINT pk_area PRIMARY KEY (id),
  CONSTRAINT uq_area_code UNIQUE (code),
  CONSTRAINT uq_area_lo UNIQUE (lo),
  CONSTRAINT fk_area_parent_id FOREIGN KEY(parent_id) REFERENCES area (id),
  CONSTRAINT ck_area_level CHECK (level BETWEEN 1 AND 5),
  CONSTRAINT ck_area_interval CHECK (lo <= hi)
);
CREATE INDEX ix_area_parent_id ON area (parent_id);

CREATE TABLE account (
  id {id} NOT NULL,
  login TEXT NOT NULL,
  role TEXT NOT NULL,
  area_id {id},
  active BOOLEAN NOT NULL,
  created_ms {big} NOT NULL,
  CONSTRAINT pk_account PRIMARY KEY (id),
  CONSTRAINT uq_account_login UNIQUE (login),
  CONSTRAINT fk_account_area_id FOREIGN KEY(area_id) REFERENCES area (id),
  CONSTRAINT ck_account_role CHECK (role IN ('worker', 'dispatcher', 'analyst', 'admin'))
);

CREATE TABLE device (
  id {id} NOT NULL,
  account_id {id} NOT NULL,
  console BOOLEAN NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  settled_through {big} NOT NULL,
  last_n {big} NOT NULL,
  last_at_ms {big} NOT NULL,
  last_contact_ms {big},
  offset_ms {big},
  lease TEXT,
  lease_previous TEXT,
  app_version TEXT,
  created_ms {big} NOT NULL,
  CONSTRAINT pk_device PRIMARY KEY (id),
  CONSTRAINT fk_device_account_id FOREIGN KEY(account_id) REFERENCES account (id),
  CONSTRAINT ck_device_status CHECK (status IN ('active', 'revoked', 'flagged')),
  CONSTRAINT ck_device_settled CHECK (settled_through >= 0 AND last_n >= 0)
);
CREATE INDEX ix_device_account_id ON device (account_id);

CREATE TABLE token (
  hash TEXT NOT NULL,
  account_id {id} NOT NULL,
  device_id {id},
  created_ms {big} NOT NULL,
  expires_ms {big},
  revoked_ms {big},
  CONSTRAINT pk_token PRIMARY KEY (hash),
  CONSTRAINT fk_token_account_id FOREIGN KEY(account_id) REFERENCES account (id),
  CONSTRAINT fk_token_device_id FOREIGN KEY(device_id) REFERENCES device (id),
  CONSTRAINT ck_token_hash CHECK (length(hash) = 64)
);
CREATE INDEX ix_token_account_id ON token (account_id);
CREATE INDEX ix_token_device_id ON token (device_id);

CREATE TABLE assignment (
  id {id} NOT NULL,
  account_id {id} NOT NULL,
  area_id {id} NOT NULL,
  valid_from_ms {big} NOT NULL,
  valid_to_ms {big},
  CONSTRAINT pk_assignment PRIMARY KEY (id),
  CONSTRAINT fk_assignment_account_id FOREIGN KEY(account_id) REFERENCES account (id),
  CONSTRAINT fk_assignment_area_id FOREIGN KEY(area_id) REFERENCES area (id),
  CONSTRAINT ck_assignment_valid CHECK (valid_to_ms IS NULL OR valid_to_ms >= valid_from_ms)
);
CREATE INDEX ix_assignment_account_id_valid_from_ms ON assignment (account_id, valid_from_ms);
CREATE INDEX ix_assignment_area_id ON assignment (area_id);

CREATE TABLE mutation (
  device_id {id} NOT NULL,
  n {big} NOT NULL,
  record_id {id},
  kind TEXT,
  base {big} NOT NULL,
  at_ms {big} NOT NULL,
  quality TEXT NOT NULL,
  received_ms {big} NOT NULL,
  actor {id},
  body {bytes} NOT NULL,
  body_hash TEXT NOT NULL,
  outcome TEXT NOT NULL,
  code TEXT,
  field TEXT,
  rev {big} NOT NULL,
  CONSTRAINT pk_mutation PRIMARY KEY (device_id, n),
  CONSTRAINT ck_mutation_outcome CHECK (outcome IN (
    'applied', 'merged', 'unchanged', 'conflict', 'recorded', 'held', 'quarantined', 'invalid'
  )),
  CONSTRAINT ck_mutation_quality CHECK (quality IN ('exact', 'estimated', 'clamped')),
  CONSTRAINT ck_mutation_n CHECK (n >= 1),
  CONSTRAINT ck_mutation_base CHECK (base >= 0),
  CONSTRAINT ck_mutation_rev CHECK (rev >= 0)
);
CREATE INDEX ix_mutation_record_id ON mutation (record_id);

CREATE TABLE record (
  id {id} NOT NULL,
  kind TEXT NOT NULL,
  bucket TEXT NOT NULL,
  area_no {big} NOT NULL,
  rev {big} NOT NULL,
  seq {big} NOT NULL,
  truth TEXT NOT NULL,
  body {bytes} NOT NULL,
  hash TEXT NOT NULL,
  CONSTRAINT pk_record PRIMARY KEY (id),
  CONSTRAINT ck_record_rev CHECK (rev >= 0),
  CONSTRAINT ck_record_seq CHECK (seq >= 0)
);
CREATE INDEX ix_record_bucket_seq ON record (bucket, seq);

CREATE TABLE bucket (
  id TEXT NOT NULL,
  epoch {big} NOT NULL,
  seq {big} NOT NULL,
  digest TEXT NOT NULL,
  count {big} NOT NULL,
  tombstone_floor {big} NOT NULL,
  CONSTRAINT pk_bucket PRIMARY KEY (id),
  CONSTRAINT ck_bucket_epoch CHECK (epoch >= 1),
  CONSTRAINT ck_bucket_seq CHECK (seq >= 0 AND tombstone_floor >= 0 AND tombstone_floor <= seq),
  CONSTRAINT ck_bucket_count CHECK (count >= 0),
  CONSTRAINT ck_bucket_digest CHECK (length(digest) = 16)
);

CREATE TABLE bucket_exit (
  bucket TEXT NOT NULL,
  record_id {id} NOT NULL,
  seq {big} NOT NULL,
  why TEXT NOT NULL,
  to_bucket TEXT,
  CONSTRAINT pk_bucket_exit PRIMARY KEY (bucket, record_id),
  CONSTRAINT ck_bucket_exit_why CHECK (why IN ('moved', 'archived', 'erased', 'hidden')),
  CONSTRAINT ck_bucket_exit_seq CHECK (seq >= 1)
);
CREATE INDEX ix_bucket_exit_bucket_seq ON bucket_exit (bucket, seq);

CREATE TABLE conflict (
  id {id} NOT NULL,
  record_id {id} NOT NULL,
  kind TEXT NOT NULL,
  field TEXT NOT NULL,
  area_no {big} NOT NULL,
  choices TEXT NOT NULL,
  live TEXT NOT NULL,
  status TEXT NOT NULL,
  opened_ms {big} NOT NULL,
  closed_ms {big},
  closed_by {id},
  chosen TEXT,
  CONSTRAINT pk_conflict PRIMARY KEY (id),
  CONSTRAINT ck_conflict_status CHECK (status IN ('open', 'resolved', 'settled')),
  CONSTRAINT ck_conflict_closed CHECK ((status = 'open') = (closed_ms IS NULL))
);
CREATE INDEX ix_conflict_status_area_no ON conflict (status, area_no);
CREATE UNIQUE INDEX uq_conflict_open ON conflict (record_id, field) WHERE status = 'open';

CREATE TABLE counter (
  name TEXT NOT NULL,
  value {big} NOT NULL,
  CONSTRAINT pk_counter PRIMARY KEY (name)
);

CREATE TABLE grid (
  fid {number} CONSTRAINT pk_grid PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  community_id {id} NOT NULL,
  area_m2 {big} NOT NULL,
  valid_from_ms {big},
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {multipolygon} NOT NULL,
  CONSTRAINT uq_grid_id UNIQUE (id),
  CONSTRAINT ck_grid_rev CHECK (rev >= 1),
  CONSTRAINT ck_grid_area CHECK (area_m2 >= 0)
);
CREATE INDEX ix_grid_area_no ON grid (area_no);
CREATE INDEX ix_grid_code ON grid (code);

CREATE TABLE dwelling (
  fid {number} CONSTRAINT pk_dwelling PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  code TEXT NOT NULL,
  address TEXT NOT NULL,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {point} NOT NULL,
  CONSTRAINT uq_dwelling_id UNIQUE (id),
  CONSTRAINT ck_dwelling_rev CHECK (rev >= 1)
);
CREATE INDEX ix_dwelling_area_no ON dwelling (area_no);
CREATE INDEX ix_dwelling_code ON dwelling (code);
CREATE INDEX ix_dwelling_grid_id ON dwelling (grid_id);

CREATE TABLE household (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  dwelling_id {id} NOT NULL,
  door TEXT,
  contact_phone TEXT,
  size_band TEXT,
  status TEXT,
  visit_preference TEXT,
  last_verified_ms {big},
  languages TEXT NOT NULL,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  CONSTRAINT pk_household PRIMARY KEY (id),
  CONSTRAINT ck_household_rev CHECK (rev >= 1)
);
CREATE INDEX ix_household_area_no ON household (area_no);
CREATE INDEX ix_household_dwelling_id ON household (dwelling_id);
CREATE INDEX ix_household_grid_id ON household (grid_id);

CREATE TABLE resident (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  household_id {id} NOT NULL,
  name TEXT NOT NULL,
  birth_year {big},
  phone TEXT,
  status TEXT,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  CONSTRAINT pk_resident PRIMARY KEY (id),
  CONSTRAINT ck_resident_rev CHECK (rev >= 1)
);
CREATE INDEX ix_resident_area_no ON resident (area_no);
CREATE INDEX ix_resident_household_id ON resident (household_id);

CREATE TABLE visit (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  household_id {id} NOT NULL,
  outcome TEXT NOT NULL,
  text TEXT,
  visited_at_ms {big},
  visitor_id {id},
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  CONSTRAINT pk_visit PRIMARY KEY (id),
  CONSTRAINT ck_visit_rev CHECK (rev >= 1)
);
CREATE INDEX ix_visit_area_no ON visit (area_no);
CREATE INDEX ix_visit_household_id ON visit (household_id);

CREATE TABLE event_class (
  fid {number} CONSTRAINT pk_event_class PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  name_zh TEXT,
  major TEXT,
  limit_hours {big},
  duplicate_radius_m {big},
  photo_rule TEXT,
  active BOOLEAN,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  CONSTRAINT uq_event_class_id UNIQUE (id),
  CONSTRAINT ck_event_class_rev CHECK (rev >= 1)
);
CREATE INDEX ix_event_class_code ON event_class (code);

CREATE TABLE report (
  fid {number} CONSTRAINT pk_report PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  class_code TEXT NOT NULL,
  text TEXT,
  channel TEXT,
  incident_id {id},
  reporter_id {id},
  observed_at_ms {big},
  accuracy_cm {big},
  datum TEXT,
  certain BOOLEAN,
  media TEXT NOT NULL,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {point},
  CONSTRAINT uq_report_id UNIQUE (id),
  CONSTRAINT ck_report_rev CHECK (rev >= 1)
);
CREATE INDEX ix_report_area_no ON report (area_no);
CREATE INDEX ix_report_incident_id ON report (incident_id);

CREATE TABLE incident (
  fid {number} CONSTRAINT pk_incident PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  class_code TEXT NOT NULL,
  summary TEXT,
  priority TEXT,
  address TEXT,
  case_no TEXT,
  state TEXT,
  epoch {big},
  state_at_ms {big},
  task_id {id},
  due_at_ms {big},
  observed_at_ms {big},
  rework {big},
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {point},
  CONSTRAINT uq_incident_id UNIQUE (id),
  CONSTRAINT ck_incident_rev CHECK (rev >= 1),
  CONSTRAINT ck_incident_epoch CHECK (epoch >= 0)
);
CREATE INDEX ix_incident_area_no_state ON incident (area_no, state);
CREATE INDEX ix_incident_case_no ON incident (case_no);

CREATE TABLE task (
  fid {number} CONSTRAINT pk_task PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  incident_id {id},
  title TEXT,
  instruction TEXT,
  assignee_id {id},
  due_at_ms {big},
  result TEXT,
  state TEXT,
  epoch {big},
  state_at_ms {big},
  state_by {id},
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {point},
  CONSTRAINT uq_task_id UNIQUE (id),
  CONSTRAINT ck_task_rev CHECK (rev >= 1),
  CONSTRAINT ck_task_epoch CHECK (epoch >= 0)
);
CREATE INDEX ix_task_area_no_state ON task (area_no, state);
CREATE INDEX ix_task_assignee_id ON task (assignee_id);
CREATE INDEX ix_task_incident_id ON task (incident_id);

CREATE TABLE note (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  parent_id {id} NOT NULL,
  text TEXT NOT NULL,
  author_id {id},
  written_at_ms {big},
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  CONSTRAINT pk_note PRIMARY KEY (id),
  CONSTRAINT ck_note_rev CHECK (rev >= 1)
);
CREATE INDEX ix_note_area_no ON note (area_no);
CREATE INDEX ix_note_parent_id ON note (parent_id);

CREATE TABLE claim (
  fid {number} CONSTRAINT pk_claim PRIMARY KEY {auto},
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  parent_id {id} NOT NULL,
  act TEXT NOT NULL,
  by_id {id},
  at_ms {big},
  quality TEXT,
  result TEXT,
  counted BOOLEAN,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  geom {point},
  CONSTRAINT uq_claim_id UNIQUE (id),
  CONSTRAINT ck_claim_rev CHECK (rev >= 1)
);
CREATE INDEX ix_claim_area_no ON claim (area_no);
CREATE INDEX ix_claim_parent_id ON claim (parent_id);
