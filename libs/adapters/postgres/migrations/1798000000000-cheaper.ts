import { ForwardOnly } from './forward-only.js';

/**
 * The same promises at less cost. The guard of design rule 1 becomes a condition of its trigger, where a function looked `this_region` up for every row; the
 * condition holds this database's region as a constant, so it is made when that is known (`prepareSchema`), and that never changes. And the outbox is
 * numbered in one round trip, by the one index that serves it.
 */
export class Cheaper1798000000000 extends ForwardOnly {
  readonly name = 'Cheaper1798000000000';
  protected readonly statements = [FOR_EVER, CONDITIONS, NUMBERING];
}

const FOR_EVER = `
CREATE FUNCTION refuse_another_region() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  RAISE EXCEPTION 'a database belongs to one region for ever' USING ERRCODE = 'HW003';
END $$;
CREATE TRIGGER refuse_another_region BEFORE UPDATE OF name OR DELETE OR TRUNCATE ON this_region FOR EACH STATEMENT EXECUTE FUNCTION refuse_another_region();
ALTER TABLE this_region ENABLE ALWAYS TRIGGER refuse_another_region;`;

/**
 * \`refuse_foreign_row\` stays the one that refuses and still looks \`this_region\` up; it is called only for rows whose region is not the constant. A table of
 * a later migration begins with the trigger without a condition, which refuses as much, until the next start gives it one.
 */
const CONDITIONS = `
CREATE FUNCTION guard_published_tables() RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
  own text := (SELECT name FROM this_region);
  published regclass;
BEGIN
  IF own IS NULL THEN RETURN; END IF;
  FOR published IN SELECT tgrelid FROM pg_trigger WHERE tgname = 'refuse_foreign_row' AND tgqual IS NULL ORDER BY tgrelid LOOP
    EXECUTE format('CREATE TRIGGER refuse_foreign_update BEFORE UPDATE ON %s FOR EACH ROW
                    WHEN (OLD.region IS DISTINCT FROM %2$L OR NEW.region IS DISTINCT FROM %2$L) EXECUTE FUNCTION refuse_foreign_row()', published, own);
    EXECUTE format('CREATE TRIGGER refuse_foreign_delete BEFORE DELETE ON %s FOR EACH ROW
                    WHEN (OLD.region IS DISTINCT FROM %2$L) EXECUTE FUNCTION refuse_foreign_row()', published, own);
    EXECUTE format('CREATE OR REPLACE TRIGGER refuse_foreign_row BEFORE INSERT ON %s FOR EACH ROW
                    WHEN (NEW.region IS DISTINCT FROM %2$L) EXECUTE FUNCTION refuse_foreign_row()', published, own);
  END LOOP;
END $$;`;

/**
 * Numbers the next rows of a partition in id order, under the lock of its head. Two statements: under READ COMMITTED only the snapshot of the second sees what
 * the holder of the lock before us did.
 *
 * The second one compares and orders by all columns of the one index that has the rows in their order, so that no other can take its place: with \`stream = $1
 * AND partition = $2\` an ANALYZE amid many unnumbered rows led to a walk over all ids, at four times the cost. The ids go through an array, whose length the
 * planner takes for ten, so that it looks each of them up instead of joining with the whole table.
 */
const NUMBERING = `
CREATE FUNCTION number_outbox(which text, part smallint, most integer, acknowledged bigint)
  RETURNS TABLE (number bigint, version smallint, key uuid, payload text) LANGUAGE plpgsql SET search_path = public AS $$
#variable_conflict use_column
DECLARE before bigint;
BEGIN
  SELECT head INTO before FROM outbox_head WHERE stream = which AND partition = part FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  RETURN QUERY
  WITH numbered AS (
    UPDATE outbox SET number = before + waiting.place
    FROM unnest(ARRAY(
      SELECT id FROM outbox WHERE number IS NULL AND (stream, partition, id) > (which, part, 0) AND (stream, partition, id) < (which, part + 1, 0)
      ORDER BY stream, partition, id LIMIT most)) WITH ORDINALITY AS waiting (id, place)
    WHERE outbox.id = waiting.id
    RETURNING outbox.number, outbox.version, outbox.key, outbox.payload::text AS payload
  ), moved AS (
    UPDATE outbox_head SET head = head + (SELECT count(*) FROM numbered), sent = greatest(sent, acknowledged) WHERE stream = which AND partition = part
  )
  SELECT numbered.number, numbered.version, numbered.key, numbered.payload FROM numbered ORDER BY numbered.number;
END $$;`;
