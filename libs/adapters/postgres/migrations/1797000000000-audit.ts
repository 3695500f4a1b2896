import { ForwardOnly } from './forward-only.js';

/**
 * What this region's auditor found in its copies of its peers' rows, and what repairs overwrote. Local: every region audits
 * its own copies, so nothing of it is published.
 */
export class Audit1797000000000 extends ForwardOnly {
  readonly name = 'Audit1797000000000';
  protected readonly statements = [AUDIT];
}

/**
 * `audit_running` lets one audit run at a time in a region, however many processes it has. A finding is kept once: an audit
 * shows those that were seen before its end and since its beginning. A row of `repair_kept` without `row` stood for nothing.
 */
const AUDIT = `
CREATE TABLE audit (
  id uuid PRIMARY KEY,
  asked_by text NOT NULL,
  state text NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  alive_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  result jsonb
);
CREATE UNIQUE INDEX audit_running ON audit (state) WHERE state = 'running';
CREATE INDEX audit_begun ON audit (begun_at);
CREATE TABLE audit_finding (
  owner text NOT NULL,
  table_name text NOT NULL,
  key jsonb NOT NULL,
  kind text NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  gone_at timestamptz,
  PRIMARY KEY (owner, table_name, key)
);
CREATE INDEX audit_finding_seen ON audit_finding (last_seen_at);
CREATE TABLE repair (
  id uuid PRIMARY KEY,
  audit uuid NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  result jsonb
);
CREATE TABLE repair_kept (
  repair uuid NOT NULL,
  owner text NOT NULL,
  table_name text NOT NULL,
  key jsonb NOT NULL,
  kind text NOT NULL,
  row jsonb,
  kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (repair, owner, table_name, key)
);`;
