import type { Statement, Transaction } from './database.js';

/** One table's share of a statement that reads or writes several, with parameters $1… of its own. */
export interface Part {
  /** Names its text: two parts of one name have the same text. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Statements by the names of their parts: each combination is prepared once per connection. */
const statements = new Map<string, Statement>();

/**
 * Writes all parts in one statement, so that a transaction that touches many tables costs one round trip. A part without
 * rows is left out by the caller (`insertion` gives none).
 */
export async function writeParts(tx: Pick<Transaction, 'query'>, parts: readonly Part[]): Promise<void> {
  if (parts.length === 0) return;
  const statement = combined('write', parts, (texts) => `WITH ${texts.map((text, index) => `part_${index} AS (${text})`).join(', ')} SELECT 1`);
  await tx.query(statement, parts.flatMap(({ values }) => values));
}

/** Reads all parts in one statement; each part selects one value, and they come back in the order of the parts. */
export async function readParts(tx: Pick<Transaction, 'query'>, parts: readonly Part[]): Promise<unknown[]> {
  const statement = combined('read', parts, (texts) => `SELECT ${texts.map((text, index) => `(${text}) AS part_${index}`).join(', ')}`);
  const [row] = await tx.query<Record<string, unknown>>(statement, parts.flatMap(({ values }) => values));
  return parts.map((_, index) => row![`part_${index}`]);
}

/**
 * The part that inserts rows, given as one list of values per row in the order of the columns.
 * @param columns each with its type, such as `amount bigint`
 * @param onConflict what the insert says of rows that are there already; without it they are an error
 */
export function insertion(table: string, columns: readonly string[], rows: readonly (readonly unknown[])[], onConflict = ''): Part[] {
  if (rows.length === 0) return [];
  const names = columns.map((column) => column.slice(0, column.indexOf(' ')));
  const arrays = columns.map((column, index) => `$${index + 1}::${column.slice(column.indexOf(' ') + 1)}[]`);
  const text = `INSERT INTO ${table} (${names.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')}) ${onConflict}`;
  return [{ name: `insert ${table} ${onConflict}`, text, values: columns.map((_, index) => rows.map((row) => row[index])) }];
}

function combined(how: string, parts: readonly Part[], join: (texts: readonly string[]) => string): Statement {
  const key = `${how}: ${parts.map(({ name }) => name).join('; ')}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  let offset = 0;
  const texts = parts.map(({ text, values }) => {
    const moved = text.replaceAll(/\$(\d+)/g, (_, index: string) => `$${Number(index) + offset}`);
    offset += values.length;
    return moved;
  });
  const statement = { name: `${how}-parts-${statements.size}`, text: join(texts) };
  statements.set(key, statement);
  return statement;
}
