CREATE FUNCTION grid_version_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.fid, NEW.grid_id, NEW.rev, NEW.area_no, NEW.code, NEW.name, NEW.community_id,
        NEW.area_m2, NEW.valid_from_ms, NEW.recorded_ms)
       IS NOT DISTINCT FROM
       (OLD.fid, OLD.grid_id, OLD.rev, OLD.area_no, OLD.code, OLD.name, OLD.community_id,
        OLD.area_m2, OLD.valid_from_ms, OLD.recorded_ms)
       AND NEW.published_by IS NOT DISTINCT FROM OLD.published_by
       AND NEW.geom::bytea = OLD.geom::bytea
       AND (OLD.valid_to_ms IS NULL OR NEW.valid_to_ms IS NOT DISTINCT FROM OLD.valid_to_ms)
       AND (OLD.change_id IS NULL OR NEW.change_id IS NOT DISTINCT FROM OLD.change_id) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'versions of grids are only added to'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_grid_version_kept';
END
$$;

CREATE TRIGGER grid_version_kept BEFORE UPDATE OR DELETE ON grid_version
FOR EACH ROW EXECUTE FUNCTION grid_version_kept();

