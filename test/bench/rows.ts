/** What a number must be: itself, or in proportion to its limit. */
export interface Aim {
  readonly of: 'measured' | 'ratio';
  readonly is: 'at least' | 'at most';
  readonly value: number;
}

/** One line of the table: a number and what stands beside it, measured in the same run. */
export interface Row {
  readonly name: string;
  readonly unit: '/s' | 'ms' | 'MB';
  readonly measured: number;
  /** What it is compared with, in the same unit. */
  readonly limit?: number;
  /** What that is, in words. */
  readonly against?: string;
  /** Absent where no aim was set: the number is told. */
  readonly aim?: Aim;
}

/** A row with what follows from it. */
export interface JudgedRow extends Row {
  readonly ratio?: number;
  readonly met?: boolean;
}

export const ratioAtLeast = (value: number): Aim => ({ of: 'ratio', is: 'at least', value });
export const ratioAtMost = (value: number): Aim => ({ of: 'ratio', is: 'at most', value });
export const atMost = (value: number): Aim => ({ of: 'measured', is: 'at most', value });

/** Adds the ratio and whether the aim is met. */
export function judge(row: Row): JudgedRow {
  const ratio = row.limit === undefined ? undefined : row.measured / row.limit;
  const judged = row.aim?.of === 'ratio' ? ratio : row.measured;
  const withRatio = ratio === undefined ? row : { ...row, ratio };
  if (row.aim === undefined || judged === undefined) return withRatio;
  return { ...withRatio, met: row.aim.is === 'at least' ? judged >= row.aim.value : judged <= row.aim.value };
}

/** The rows as text, in columns. */
export function table(rows: readonly JudgedRow[]): string {
  const lines = [['path', 'limit', 'ours', 'ratio', 'aim', ''], ...rows.map(cells)];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n');
}

function cells(row: JudgedRow): string[] {
  const limit = row.limit === undefined ? '' : `${shown(row.limit)} ${row.unit} (${row.against ?? ''})`;
  const ratio = row.ratio === undefined ? '' : row.ratio.toFixed(2);
  return [row.name, limit, `${shown(row.measured)} ${row.unit}`, ratio, aimOf(row), row.met === undefined ? '' : row.met ? 'met' : 'MISSED'];
}

function aimOf({ aim, unit }: Row): string {
  if (aim === undefined) return '';
  return `${aim.is === 'at least' ? '≥' : '≤'} ${aim.value}${aim.of === 'measured' ? ` ${unit}` : ''}`;
}

function shown(value: number): string {
  if (value >= 1_000) return String(Math.round(value));
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
