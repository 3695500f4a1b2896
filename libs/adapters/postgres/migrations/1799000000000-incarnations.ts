import { ForwardOnly } from './forward-only.js';

/** A region that lost its disks comes back as its next incarnation, and the one before is refused (docs/decisions/0018). */
export class Incarnations1799000000000 extends ForwardOnly {
  readonly name = 'Incarnations1799000000000';
  protected readonly statements = [INCARNATIONS, VERSIONS, DELIVERY];
}

/** `identity` tells this database from every other one that claims to be this region; `rebuilt` says what was found at the peers. */
const INCARNATIONS = `
ALTER TABLE this_region
  ADD COLUMN incarnation integer NOT NULL DEFAULT 1, ADD COLUMN identity uuid NOT NULL DEFAULT gen_random_uuid(),
  ADD COLUMN rebuilt_at timestamptz, ADD COLUMN rebuilt jsonb;
CREATE TABLE peer_incarnation (
  peer text PRIMARY KEY,
  incarnation integer NOT NULL,
  identity uuid,
  known_at timestamptz NOT NULL DEFAULT clock_timestamp()
);`;

/**
 * Versions, epochs and counters that an incarnation gives are higher than all of those before, which may have given some that
 * nobody knows of any more. Plain SQL, so that PostgreSQL puts the number itself into each plan; a rebuild replaces the floor.
 */
const VERSIONS = `
CREATE FUNCTION version_floor() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint';
CREATE FUNCTION next_version(last bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT greatest(coalesce($1, 0), version_floor()) + 1';`;

/**
 * As before, but for what a rebuilt region finds at its peers: nobody knows whether that was delivered. What is older than all
 * attempts take was; the rest is kept aside as given up, to be seen and sent again by an operator.
 */
const DELIVERY = `
CREATE OR REPLACE FUNCTION queue_delivery() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO notification_delivery (notification, channel, account, dead_at, last_error)
  SELECT NEW.id, c.name, NEW.account, CASE WHEN NEW.created_at < own.rebuilt_at THEN clock_timestamp() END,
    CASE WHEN NEW.created_at < own.rebuilt_at THEN 'the region was rebuilt: it is not known whether this was delivered before' END
  FROM notification_channel c CROSS JOIN this_region own
  WHERE (own.rebuilt_at IS NULL OR NEW.created_at > own.rebuilt_at - interval '12 hours')
    AND EXISTS (SELECT FROM account a WHERE a.home = own.name AND a.id = NEW.account)
  ORDER BY c.name ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;`;
