CREATE TRIGGER grid_version_apart BEFORE INSERT ON grid_version
WHEN EXISTS (
  SELECT 1 FROM grid_version AS other WHERE other.grid_id = NEW.grid_id
  AND other.valid_from_ms < COALESCE(NEW.valid_to_ms, 9223372036854775807)
  AND NEW.valid_from_ms < COALESCE(other.valid_to_ms, 9223372036854775807)
)
BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: ex_grid_version_period'); END;

CREATE TRIGGER grid_version_kept BEFORE UPDATE ON grid_version
WHEN NEW.fid IS NOT OLD.fid OR NEW.grid_id IS NOT OLD.grid_id OR NEW.rev IS NOT OLD.rev
  OR NEW.area_no IS NOT OLD.area_no OR NEW.code IS NOT OLD.code OR NEW.name IS NOT OLD.name
  OR NEW.community_id IS NOT OLD.community_id OR NEW.area_m2 IS NOT OLD.area_m2
  OR NEW.valid_from_ms IS NOT OLD.valid_from_ms OR NEW.recorded_ms IS NOT OLD.recorded_ms
  OR NEW.published_by IS NOT OLD.published_by OR NEW.geom IS NOT OLD.geom
  OR (OLD.valid_to_ms IS NOT NULL AND NEW.valid_to_ms IS NOT OLD.valid_to_ms)
  OR (OLD.change_id IS NOT NULL AND NEW.change_id IS NOT OLD.change_id)
BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: ck_grid_version_kept'); END;

CREATE TRIGGER grid_version_forgets_nothing BEFORE DELETE ON grid_version
BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: ck_grid_version_kept'); END;

