import { ForwardOnly } from './forward-only.js';

/**
 * Money, and what users are told. Every published table has its writer in `region` and one writer per row: who takes an
 * order, who decides it and who credits it write three tables, and the status is their merge (docs/decisions/0013).
 */
export class Money1796000000000 extends ForwardOnly {
  readonly name = 'Money1796000000000';
  protected readonly statements = [LOCAL, LEDGER, TRANSFERS, VOUCHERS, NOTICES, INCIDENTS, GUARD, DELIVERY, ARRIVALS];
}

/**
 * What only this region reads: which key of a payer stands for which transfer, which requests taken here wait for their
 * decision, what was issued here, what was delivered outside.
 */
const LOCAL = `
CREATE TABLE transfer_key (payer uuid NOT NULL, key bytea NOT NULL, transfer uuid NOT NULL, PRIMARY KEY (payer, key));
CREATE TABLE transfer_waiting (
  id uuid PRIMARY KEY,
  payer uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  overdue_told boolean NOT NULL DEFAULT false
);
CREATE INDEX transfer_waiting_payer ON transfer_waiting (payer);
CREATE INDEX transfer_waiting_age ON transfer_waiting (requested_at);
CREATE TABLE money_issued (kind text PRIMARY KEY, total bigint NOT NULL CHECK (total >= 0));
INSERT INTO money_issued (kind, total) VALUES ('deposits', 0), ('vouchers', 0);
CREATE TABLE notification_channel (name text PRIMARY KEY);
CREATE TABLE notification_delivery (
  notification uuid NOT NULL,
  channel text NOT NULL,
  account uuid NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  delivered_at timestamptz,
  dead_at timestamptz,
  last_error text,
  PRIMARY KEY (notification, channel)
);
CREATE INDEX notification_delivery_due ON notification_delivery (channel, next_at) WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX notification_delivery_dead ON notification_delivery (notification, channel) WHERE dead_at IS NOT NULL;`;

/**
 * Double entry: the postings of one entry sum to zero in the region that made them. \`book\` is \`account\`, \`deposits\`,
 * \`vouchers\`, \`suspense\` or \`clearing:<from>><to>\`; \`account\` is set where the book is \`account\` or \`suspense\`.
 * The key makes each leg of an entry unique where it is posted.
 */
const LEDGER = `
CREATE TABLE posting (
  region text NOT NULL,
  slot smallint NOT NULL,
  entry uuid NOT NULL,
  leg text NOT NULL,
  book text NOT NULL,
  account uuid,
  amount bigint NOT NULL CHECK (amount <> 0),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (region, entry, leg)
);
CREATE INDEX posting_account ON posting (account) WHERE account IS NOT NULL;
CREATE INDEX posting_book ON posting (region, book) WHERE book <> 'account';
CREATE TABLE balance (
  region text NOT NULL,
  slot smallint NOT NULL,
  account uuid NOT NULL,
  amount bigint NOT NULL CHECK (amount >= 0),
  version bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (region, account)
);
CREATE FUNCTION refuse_change_of_posting() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  RAISE EXCEPTION 'a posting is never updated or deleted: post its reverse' USING ERRCODE = 'HW002';
END $$;
CREATE TRIGGER refuse_update BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change_of_posting();`;

/** Request: by the region that took the order. Decision: by the payer's home. Credit: by the payee's home. */
const TRANSFERS = `
CREATE TABLE transfer_request (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  payer uuid NOT NULL,
  payee uuid NOT NULL,
  payee_home text NOT NULL,
  amount bigint NOT NULL,
  memo text,
  key bytea NOT NULL,
  home text NOT NULL,
  session bytea NOT NULL,
  epoch bigint NOT NULL,
  requested_at timestamptz NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX transfer_request_payer ON transfer_request (payer, requested_at);
CREATE INDEX transfer_request_key ON transfer_request (payer, key);
CREATE INDEX transfer_request_version ON transfer_request (payer, region, version);
CREATE INDEX transfer_request_time ON transfer_request USING brin (requested_at);
CREATE TABLE transfer_decision (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  payer uuid NOT NULL,
  payee uuid NOT NULL,
  payee_home text NOT NULL,
  amount bigint NOT NULL,
  memo text,
  outcome text NOT NULL,
  reason text,
  accepted_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  decided_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX transfer_decision_time ON transfer_decision USING brin (decided_at);
CREATE INDEX transfer_decision_id ON transfer_decision (id);
CREATE INDEX transfer_decision_payer ON transfer_decision (payer, requested_at);
CREATE INDEX transfer_decision_payee ON transfer_decision (payee, requested_at);
CREATE INDEX transfer_decision_abroad ON transfer_decision (region, payee_home, id) WHERE payee_home <> region AND outcome = 'settled';
CREATE TABLE transfer_credit (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  payee uuid NOT NULL,
  credited_at timestamptz NOT NULL,
  suspense boolean NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX transfer_credit_id ON transfer_credit (id);
CREATE INDEX transfer_credit_suspense ON transfer_credit (region) WHERE suspense;`;

const VOUCHERS = `
CREATE TABLE voucher (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  account uuid NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0),
  memo text,
  incident uuid,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX voucher_account ON voucher (account);
CREATE TABLE voucher_redemption (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  account uuid NOT NULL,
  redeemed_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE TABLE redeem_request (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  account uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX redeem_request_account ON redeem_request (account);`;

const NOTICES = `
CREATE TABLE notification (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  account uuid NOT NULL,
  kind text NOT NULL,
  subject uuid NOT NULL,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX notification_account ON notification (account, created_at);
CREATE TABLE notification_read (
  region text NOT NULL,
  slot smallint NOT NULL,
  id uuid NOT NULL,
  account uuid NOT NULL,
  read_at timestamptz NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX notification_read_account ON notification_read (account);
CREATE TABLE announcement (
  region text NOT NULL,
  slot smallint NOT NULL DEFAULT 0,
  id uuid NOT NULL,
  incident uuid,
  body jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE TABLE announcement_act (
  region text NOT NULL,
  slot smallint NOT NULL DEFAULT 0,
  id uuid NOT NULL,
  act text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (region, id, act)
);`;

const INCIDENTS = `
CREATE TABLE incident (
  region text NOT NULL,
  slot smallint NOT NULL DEFAULT 0,
  id uuid NOT NULL,
  peer text NOT NULL,
  opened_at timestamptz NOT NULL,
  reachable_at timestamptz,
  closed_at timestamptz,
  counts jsonb NOT NULL,
  PRIMARY KEY (region, id)
);
CREATE INDEX incident_open ON incident (region, peer) WHERE closed_at IS NULL;
CREATE TABLE incident_account (
  region text NOT NULL,
  slot smallint NOT NULL,
  incident uuid NOT NULL,
  account uuid NOT NULL,
  what text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (region, incident, account, what)
);
CREATE INDEX incident_account_incident ON incident_account (incident, account);`;

const TABLES = [
  'posting', 'balance', 'transfer_request', 'transfer_decision', 'transfer_credit', 'voucher', 'voucher_redemption', 'redeem_request',
  'notification', 'notification_read', 'announcement', 'announcement_act', 'incident', 'incident_account',
];

/** Rule 1, as for the first tables. */
const GUARD = TABLES.map((table) => `CREATE TRIGGER refuse_foreign_row BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION refuse_foreign_row();`).join('\n');

/**
 * A notification is delivered by the account's home, once for each channel that was in use when it came to be known there:
 * queued in the transaction that writes or brings it, so that none is forgotten, whichever region it arose in.
 */
const DELIVERY = `
CREATE FUNCTION queue_delivery() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO notification_delivery (notification, channel, account)
  SELECT NEW.id, c.name, NEW.account FROM notification_channel c
  WHERE EXISTS (SELECT FROM account a JOIN this_region own ON own.name = a.home WHERE a.id = NEW.account)
  ORDER BY c.name ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER queue_delivery AFTER INSERT ON notification FOR EACH ROW EXECUTE FUNCTION queue_delivery();
ALTER TABLE notification ENABLE ALWAYS TRIGGER queue_delivery;`;

/**
 * Whoever waits for a row by its consistency token, and the deliverer of notifications, hear of it (see the first
 * migration's ARRIVALS); a request that was decided elsewhere no longer waits here.
 */
const ARRIVALS = `
CREATE FUNCTION money_arrived() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  PERFORM pg_notify('homeward_arrived', TG_ARGV[0] || ':' || (to_jsonb(NEW) ->> TG_ARGV[1]));
  RETURN NULL;
END $$;
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON balance FOR EACH ROW EXECUTE FUNCTION money_arrived('wallet', 'account');
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON transfer_request FOR EACH ROW EXECUTE FUNCTION money_arrived('request', 'payer');
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION money_arrived('notification', 'account');
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON notification_read FOR EACH ROW EXECUTE FUNCTION money_arrived('notices', 'account');
CREATE FUNCTION transfer_decided() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  DELETE FROM transfer_waiting WHERE id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER arrived AFTER INSERT OR UPDATE ON transfer_decision FOR EACH ROW EXECUTE FUNCTION transfer_decided();
ALTER TABLE transfer_decision ENABLE REPLICA TRIGGER arrived;
ALTER TABLE balance ENABLE REPLICA TRIGGER arrived;
ALTER TABLE transfer_request ENABLE REPLICA TRIGGER arrived;
ALTER TABLE notification ENABLE REPLICA TRIGGER arrived;
ALTER TABLE notification_read ENABLE REPLICA TRIGGER arrived;`;
