import { NotFoundError } from '#kernel/problems';
import type { IncidentRows } from './incident-rows.js';
import { type Incident, findIncident } from './merge-incidents.js';

/** An incident as operators see it. */
export interface IncidentView {
  readonly id: string;
  readonly ids: readonly string[];
  readonly between: readonly [string, string];
  readonly openedAt: string;
  readonly reachableAt?: string;
  readonly closedAt?: string;
  /** What each side recorded, as far as its rows have arrived here. */
  readonly sides: readonly { readonly region: string; readonly id: string; readonly openedAt: string; readonly reachableAt?: string; readonly closedAt?: string }[];
  readonly counts: Readonly<Record<string, number>>;
  /** Accounts touched, by how. */
  readonly accounts: Readonly<Record<string, number>>;
}

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** Incidents of all regions, the two sides of one cut as one. */
export class ReadIncidents {
  constructor(private readonly rows: IncidentRows) {}

  /** Newest first. @param after an id of the last one seen */
  async page(limit: number, after: string | undefined): Promise<{ items: IncidentView[]; next: string | null }> {
    const all = await this.rows.merged();
    const from = after === undefined ? 0 : all.findIndex(({ ids }) => ids.includes(after)) + 1;
    const shown = all.slice(from, from + limit);
    const counted = await this.rows.counted(shown);
    return { items: shown.map((incident) => viewOf(incident, counted.get(incident.id)!)), next: from + limit < all.length ? shown.at(-1)!.id : null };
  }

  /** @param id any of its ids. @throws NotFoundError */
  async find(id: string): Promise<Incident> {
    const incident = findIncident(await this.rows.merged(), id);
    if (incident === undefined) throw new NotFoundError('No incident with this id is known here');
    return incident;
  }

  /** The accounts that it touched, and how. @throws NotFoundError */
  async accounts(id: string, limit: number, after: string = BEFORE_ALL) {
    const { ids } = await this.find(id);
    const items = await this.rows.touched(ids, limit, after);
    return { items, next: items.length < limit ? null : items.at(-1)!.account };
  }
}

function viewOf({ id, ids, between, openedAt, reachableAt, closedAt, rows, counts }: Incident, accounts: Record<string, number>): IncidentView {
  const sides = rows.map((row) => ({ region: row.region, id: row.id, ...timesOf(row) }));
  return { id, ids, between, ...timesOf({ openedAt, reachableAt, closedAt }), sides, counts, accounts };
}

function timesOf({ openedAt, reachableAt, closedAt }: Pick<Incident, 'openedAt' | 'reachableAt' | 'closedAt'>) {
  return {
    openedAt: openedAt.toISOString(),
    ...(reachableAt === null ? {} : { reachableAt: reachableAt.toISOString() }),
    ...(closedAt === null ? {} : { closedAt: closedAt.toISOString() }),
  };
}
