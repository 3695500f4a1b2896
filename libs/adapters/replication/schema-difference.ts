import type { Schema } from './inspect.js';

/** Where two versions of the schema differ so that replication can not go on or would leave something out. */
export interface SchemaDifference {
  /** Missing on our side: what the peer sends can not be applied. */
  readonly here: readonly string[];
  /** Missing at the peer: the rest can be applied, the missing is not sent. */
  readonly there: readonly string[];
}

/**
 * Compares what the peer publishes with what is here. A column that only we have is fine where a row can do without it:
 * migrations only add, and one side is always first (design, "Replication between versions").
 * @param expected the tables that this version publishes
 */
export function schemaDifference(peer: { tables: readonly string[]; schema: Schema }, own: Schema, expected: readonly string[]): SchemaDifference {
  const here: string[] = [];
  const there = expected.filter((table) => !peer.tables.includes(table)).map((table) => `table ${table} is not published there`);
  for (const table of peer.tables) {
    const mine = own[table];
    if (mine === undefined) here.push(`table ${table} is missing here`);
    else here.push(...columnDifferences(table, peer.schema[table] ?? [], mine));
  }
  return { here, there };
}

function columnDifferences(table: string, theirs: Schema[string], mine: Schema[string]): string[] {
  const found: string[] = [];
  for (const column of theirs) {
    const match = mine.find((candidate) => candidate.name === column.name);
    if (match === undefined) found.push(`column ${table}.${column.name} is missing here`);
    else if (match.type !== column.type) found.push(`column ${table}.${column.name} is ${match.type} here and ${column.type} there`);
  }
  const extra = mine.filter((column) => !column.optional && !theirs.some((candidate) => candidate.name === column.name));
  found.push(...extra.map((column) => `column ${table}.${column.name} is required here and missing there`));
  if (keyOf(theirs) !== keyOf(mine)) found.push(`the primary key of ${table} is (${keyOf(mine)}) here and (${keyOf(theirs)}) there`);
  return found;
}

/** The primary key's columns in their order. */
export function keyColumns(columns: Schema[string]): string[] {
  return columns.filter((column) => column.key !== null).sort((a, b) => a.key! - b.key!).map((column) => column.name);
}

const keyOf = (columns: Schema[string]): string => keyColumns(columns).join(', ');
