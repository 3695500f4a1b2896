import { ForwardOnly } from './forward-only.js';

/** Numbered events are kept by batches, in which they were numbered (docs/decisions/0020). */
export class OutboxBatches1799500000000 extends ForwardOnly {
  readonly name = 'OutboxBatches1799500000000';
  protected readonly statements = [BATCHES, WAITING, NUMBERING];
}

/**
 * `events` has a line for each number from `first` to `last`: the event's version, its key and its payload, which as the text of a jsonb has no line break. It is
 * written once and read once, so compressing it would cost more than it saves. `created_at` is the oldest one's.
 */
const BATCHES = `
CREATE TABLE outbox_batch (
  stream text NOT NULL,
  partition smallint NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  events text STORAGE EXTERNAL NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (stream, partition, last)
);
INSERT INTO outbox_batch (stream, partition, first, last, events, created_at)
SELECT stream, partition, number, number, version || ' ' || key || ' ' || payload, created_at FROM outbox WHERE number IS NOT NULL;`;

/** What remains waits for its number. One index, in the order in which numbers are given; ids are one sequence's. */
const WAITING = `
DELETE FROM outbox WHERE number IS NOT NULL;
ALTER TABLE outbox DROP COLUMN number, DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (stream, partition, id);`;

/**
 * Numbers the next events of a partition in the order of their ids, under the lock of its head. Two statements: under READ COMMITTED only the snapshot of the
 * second sees what the holder of the lock before us did.
 *
 * The inner query compares and orders by all columns of the index, so that no other plan can take its place whatever an ANALYZE saw. What it found is deleted by
 * where it lies, a third of the cost of looking each up again: nobody updates these rows, and nobody else deletes them.
 */
const NUMBERING = `
DROP FUNCTION number_outbox(text, smallint, integer, bigint);
CREATE FUNCTION number_events(which text, part smallint, most integer, acknowledged bigint)
  RETURNS TABLE (first bigint, events text) LANGUAGE plpgsql SET search_path = public AS $$
#variable_conflict use_column
DECLARE before bigint;
BEGIN
  SELECT head INTO before FROM outbox_head WHERE stream = which AND partition = part FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  RETURN QUERY
  WITH taken AS (
    DELETE FROM outbox WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM outbox WHERE (stream, partition, id) > (which, part, 0) AND (stream, partition, id) < (which, part + 1, 0)
      ORDER BY stream, partition, id LIMIT most))
    RETURNING id, version || ' ' || key || ' ' || payload AS event, created_at
  ), kept AS (
    INSERT INTO outbox_batch (stream, partition, first, last, events, created_at)
    SELECT which, part, before + 1, before + count(*), string_agg(event, E'\\n' ORDER BY id), min(created_at) FROM taken HAVING count(*) > 0
    RETURNING first, last, events
  ), moved AS (
    UPDATE outbox_head SET head = coalesce((SELECT last FROM kept), head), sent = greatest(sent, acknowledged) WHERE stream = which AND partition = part
  )
  SELECT kept.first, kept.events FROM kept;
END $$;`;
