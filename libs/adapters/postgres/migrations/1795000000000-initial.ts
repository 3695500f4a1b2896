import { ForwardOnly } from './forward-only.js';

/**
 * The first schema. Three groups: what only this region reads (accounts, epochs, outbox, …), what every region
 * publishes to its peers by logical replication (each row has its writer in `region`, first in the primary key,
 * and no other unique index: design rule 1), and what is kept aside (dead letters, conflicts).
 */
export class Initial1795000000000 extends ForwardOnly {
  readonly name = 'Initial1795000000000';
  protected readonly statements = [LOCAL, PUBLISHED, ASIDE, GUARD, ARRIVALS];
}

const LOCAL = `
CREATE TABLE this_region (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), name text NOT NULL);
CREATE TABLE route_table (version integer PRIMARY KEY, body jsonb NOT NULL, digest text NOT NULL);

CREATE TABLE account (
  id uuid PRIMARY KEY,
  identifier text NOT NULL UNIQUE,
  normalization smallint NOT NULL,
  slot smallint NOT NULL,
  home text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE credential_epoch (account uuid PRIMARY KEY, epoch bigint NOT NULL, keep_session bytea);
CREATE TABLE redis_pending (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account uuid,
  session_hash bytea,
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((account IS NULL) <> (session_hash IS NULL))
);

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  partition smallint NOT NULL,
  number bigint,
  version smallint NOT NULL,
  key uuid NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_unnumbered ON outbox (stream, partition, id) WHERE number IS NULL;
CREATE UNIQUE INDEX outbox_number ON outbox (stream, partition, number);
CREATE TABLE outbox_head (
  stream text NOT NULL,
  partition smallint NOT NULL,
  head bigint NOT NULL DEFAULT 0,
  sent bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (stream, partition)
);

CREATE TABLE idempotency (
  scope text NOT NULL,
  key text NOT NULL,
  request bytea NOT NULL,
  secrets text[] NOT NULL,
  answer jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);`;

const PUBLISHED = `
CREATE TABLE password (
  region text NOT NULL,
  slot smallint NOT NULL,
  account uuid NOT NULL,
  hash text NOT NULL,
  epoch bigint NOT NULL,
  keep_session bytea,
  version bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (region, account)
);
CREATE TABLE profile (
  region text NOT NULL,
  slot smallint NOT NULL,
  account uuid NOT NULL,
  fields jsonb NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (region, account)
);
CREATE TABLE ended_session (
  region text NOT NULL,
  slot smallint NOT NULL,
  session_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (region, session_hash)
);
CREATE INDEX ended_session_expiry ON ended_session (expires_at);
CREATE TABLE signout (
  region text NOT NULL,
  slot smallint NOT NULL,
  account uuid NOT NULL,
  counter bigint NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (region, account)
);
CREATE TABLE heartbeat (
  region text PRIMARY KEY,
  slot smallint NOT NULL DEFAULT 0,
  body jsonb NOT NULL
);
CREATE TABLE stream_applied (
  region text NOT NULL,
  slot smallint NOT NULL DEFAULT 0,
  writer text NOT NULL,
  stream text NOT NULL,
  partition smallint NOT NULL,
  applied bigint NOT NULL DEFAULT 0,
  kafka_offset bigint NOT NULL DEFAULT -1,
  PRIMARY KEY (region, writer, stream, partition)
);`;

const ASIDE = `
CREATE TABLE dead_letter (
  id uuid PRIMARY KEY,
  writer text NOT NULL,
  stream text NOT NULL,
  partition smallint NOT NULL,
  number bigint,
  kafka_offset bigint,
  key text,
  version smallint,
  body text NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  replayed_at timestamptz
);
CREATE INDEX dead_letter_open ON dead_letter (writer, stream, key) WHERE replayed_at IS NULL;
CREATE UNIQUE INDEX dead_letter_number ON dead_letter (writer, stream, partition, number) WHERE number IS NOT NULL;
CREATE UNIQUE INDEX dead_letter_malformed ON dead_letter (writer, stream, partition, kafka_offset, md5(body)) WHERE number IS NULL;
CREATE TABLE conflict (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  account uuid NOT NULL,
  writer text NOT NULL,
  body jsonb NOT NULL,
  detail text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (kind, account)
);`;

/**
 * Rule 1: a local write of another region's row is refused. The trigger is an ordinary one, so it does not fire in the
 * apply worker (session_replication_role = replica), whose rows are foreign by nature.
 */
const GUARD = `
CREATE FUNCTION refuse_foreign_row() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE own text := (SELECT name FROM this_region);
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.region IS DISTINCT FROM own OR TG_OP <> 'DELETE' AND NEW.region IS DISTINCT FROM own THEN
    RAISE EXCEPTION 'row of another region: only its writer changes a row of %', TG_TABLE_NAME USING ERRCODE = 'HW001';
  END IF;
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
DO $$
DECLARE published text;
BEGIN
  FOREACH published IN ARRAY ARRAY['password', 'profile', 'ended_session', 'signout', 'heartbeat', 'stream_applied'] LOOP
    EXECUTE format('CREATE TRIGGER refuse_foreign_row BEFORE INSERT OR UPDATE OR DELETE ON %I
                    FOR EACH ROW EXECUTE FUNCTION refuse_foreign_row()', published);
  END LOOP;
END $$;`;

/**
 * What a replicated row sets off here. ENABLE REPLICA: these fire in the apply worker and in a rebuild (which sets
 * session_replication_role), never for this region's own writes, so pg_notify's global lock stays off the hot paths.
 */
const ARRIVALS = `
CREATE FUNCTION password_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO credential_epoch AS known (account, epoch, keep_session) VALUES (NEW.account, NEW.epoch, NEW.keep_session)
  ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, keep_session = excluded.keep_session
    WHERE known.epoch < excluded.epoch;
  IF FOUND AND NEW.epoch > 1 THEN
    INSERT INTO redis_pending (account) VALUES (NEW.account);
  END IF;
  PERFORM pg_notify('homeward_arrived', 'password:' || NEW.account);
  RETURN NULL;
END $$;
CREATE FUNCTION profile_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_notify('homeward_arrived', 'profile:' || NEW.account);
  RETURN NULL;
END $$;
CREATE FUNCTION signout_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO redis_pending (account) VALUES (NEW.account);
  PERFORM pg_notify('homeward_arrived', 'signout:' || NEW.account);
  RETURN NULL;
END $$;
CREATE FUNCTION ended_session_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO redis_pending (session_hash, expires_at) VALUES (NEW.session_hash, NEW.expires_at);
  PERFORM pg_notify('homeward_arrived', 'ended_session:');
  RETURN NULL;
END $$;
CREATE FUNCTION heartbeat_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_notify('homeward_heartbeat', NEW.region);
  RETURN NULL;
END $$;
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON password FOR EACH ROW EXECUTE FUNCTION password_arrived();
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON profile FOR EACH ROW EXECUTE FUNCTION profile_arrived();
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON signout FOR EACH ROW EXECUTE FUNCTION signout_arrived();
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON ended_session FOR EACH ROW EXECUTE FUNCTION ended_session_arrived();
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON heartbeat FOR EACH ROW EXECUTE FUNCTION heartbeat_arrived();
ALTER TABLE password ENABLE REPLICA TRIGGER arrived;
ALTER TABLE profile ENABLE REPLICA TRIGGER arrived;
ALTER TABLE signout ENABLE REPLICA TRIGGER arrived;
ALTER TABLE ended_session ENABLE REPLICA TRIGGER arrived;
ALTER TABLE heartbeat ENABLE REPLICA TRIGGER arrived;`;
