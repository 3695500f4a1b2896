/** One region's record of the time that it could not reach a peer. */
export interface IncidentRow {
  readonly region: string;
  readonly id: string;
  readonly peer: string;
  readonly openedAt: Date;
  /** When the peer was reachable again, as long as it is. */
  readonly reachableAt: Date | null;
  /** When everything between the two had settled again. */
  readonly closedAt: Date | null;
  /** The same moments by the peer's clock, as far as it was known. */
  readonly peerOpenedAt: Date | null;
  readonly peerReachableAt: Date | null;
  readonly peerClosedAt: Date | null;
  readonly counts: Readonly<Record<string, number>>;
}

/** One cut, as its two sides recorded it; times are by the clock of the first of the two regions, as far as the other one knew it. */
export interface Incident {
  /** The smallest id of its rows; each of `ids` names it. */
  readonly id: string;
  readonly ids: readonly string[];
  /** The two regions, in the order of their names. */
  readonly between: readonly [string, string];
  readonly openedAt: Date;
  readonly reachableAt: Date | null;
  readonly closedAt: Date | null;
  /** Summed over its rows. */
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly IncidentRow[];
}

/** The two sides notice a cut, and its end, at different moments. */
const TOUCHING_MS = 2_000;

/**
 * The incidents that rows of all regions stand for, newest first: rows of one pair of regions whose times overlap or touch
 * are one, however far the clocks of the two are apart. A pure function of the rows, so that regions that know the same
 * rows name the same incidents.
 */
export function mergeIncidents(rows: readonly IncidentRow[]): Incident[] {
  const byPair = Map.groupBy(rows, (row) => pairOf(row).join(' '));
  const groups = [...byPair.values()].flatMap((ofPair) => overlapping(ofPair));
  return groups.map(asIncident).sort((a, b) => b.openedAt.getTime() - a.openedAt.getTime() || (a.id < b.id ? -1 : 1));
}

/** The incident that an id names, whichever of its rows' ids it is. */
export function findIncident(incidents: readonly Incident[], id: string): Incident | undefined {
  return incidents.find(({ ids }) => ids.includes(id));
}

function pairOf({ region, peer }: IncidentRow): [string, string] {
  return region < peer ? [region, peer] : [peer, region];
}

function overlapping(rows: readonly IncidentRow[]): IncidentRow[][] {
  const groups: IncidentRow[][] = [];
  let endMs = -Infinity;
  const inOrder = rows.toSorted((a, b) => begunMs(a) - begunMs(b) || (a.id < b.id ? -1 : 1));
  for (const [index, row] of inOrder.entries()) {
    const joins = begunMs(row) <= endMs + TOUCHING_MS;
    if (joins) groups.at(-1)!.push(row);
    else groups.push([row]);
    const rowEndMs = endedMs(row, inOrder.slice(index + 1).find(({ region }) => region === row.region));
    endMs = joins ? Math.max(endMs, rowEndMs) : rowEndMs;
  }
  return groups;
}

/** When it began; one whose end lies before its beginning had a clock that jumped, and would overlap whatever comes until then. */
function begunMs(row: IncidentRow): number {
  const { openedAt, reachableAt, closedAt } = onFirstClock(row);
  return Math.min(...[openedAt, reachableAt, closedAt].flatMap((time) => (time === null ? [] : [time.getTime()])));
}

/** When it ended. A region has one at a time with a peer: where its next one begins before that, its clock was ahead, and only the beginning is sure. */
function endedMs(row: IncidentRow, next: IncidentRow | undefined): number {
  const endMs = onFirstClock(row).closedAt?.getTime() ?? Infinity;
  return next !== undefined && endMs > begunMs(next) ? begunMs(row) : endMs;
}

function asIncident(rows: readonly IncidentRow[]): Incident {
  const ids = rows.map(({ id }) => id).sort();
  const counts: Record<string, number> = {};
  for (const row of rows) for (const [name, count] of Object.entries(row.counts)) counts[name] = (counts[name] ?? 0) + count;
  return {
    id: ids[0]!, ids, between: pairOf(rows[0]!), openedAt: new Date(begunMs(rows[0]!)), counts, rows,
    reachableAt: latest(rows.map((row) => onFirstClock(row).reachableAt)), closedAt: latest(rows.map((row) => onFirstClock(row).closedAt)),
  };
}

/** The times of a row by the clock of the pair's first region. */
function onFirstClock(row: IncidentRow): Pick<IncidentRow, 'openedAt' | 'reachableAt' | 'closedAt'> {
  if (row.region < row.peer) return row;
  const { openedAt, peerOpenedAt, reachableAt, peerReachableAt, closedAt, peerClosedAt } = row;
  return { openedAt: peerOpenedAt ?? openedAt, reachableAt: peerReachableAt ?? reachableAt, closedAt: peerClosedAt ?? closedAt };
}

/** Over only when it is over on every side. */
function latest(times: readonly (Date | null)[]): Date | null {
  return times.includes(null) ? null : new Date(Math.max(...times.map((time) => time!.getTime())));
}
