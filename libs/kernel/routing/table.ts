import { createHash } from 'node:crypto';
import { SLOTS } from './slot.js';

/** A region's name: it stands in host names, topics, roles and session ids, so it is short and plain. */
const REGION_PATTERN = /^[a-z][a-z0-9-]{0,15}$/;

/** A run of slots, both ends included, and the region that is their home. */
export interface RouteRange {
  from: number;
  to: number;
  home: string;
}

/** Which region is the home of which slot: ranges in order, without gaps, covering 0..1023. Fixed at a deployment's first start. */
export interface RouteTable {
  version: number;
  ranges: RouteRange[];
}

/** The default table, version 1: contiguous ranges in name order, as even as 1024 allows. Throws when a name is malformed or given twice. */
export function evenTable(regions: readonly string[]): RouteTable {
  const names = regions.toSorted();
  const ranges = names.map((home, index) => ({
    from: Math.floor((index * SLOTS) / names.length),
    to: Math.floor(((index + 1) * SLOTS) / names.length) - 1,
    home,
  }));
  if (new Set(names).size !== names.length) throw new TypeError('A region stands twice in the list of regions');
  return checkTable({ version: 1, ranges });
}

/** The home of a slot. Throws RangeError for a number that isn't a slot: that is a mistake of the caller. */
export function homeOf(table: RouteTable, slot: number): string {
  for (const range of table.ranges) {
    if (slot >= range.from && slot <= range.to) return range.home;
  }
  throw new RangeError(`${slot} is not a slot`);
}

/**
 * Lower-case hexadecimal SHA-256 of the table as canonical JSON (no spaces, members in the order version, ranges; from, to, home; neighbouring
 * ranges of one home joined), so two regions have the same digest exactly when they have the same table.
 */
export function digestOf(table: RouteTable): string {
  const ranges = joinNeighbours(table.ranges).map(({ from, to, home }) => ({ from, to, home }));
  return createHash('sha256').update(JSON.stringify({ version: table.version, ranges })).digest('hex');
}

/** Reads a stored or received table, from JSON text or the parsed value. Throws TypeError naming what is wrong. */
export function parseTable(json: unknown): RouteTable {
  const value: unknown = typeof json === 'string' ? JSON.parse(json) : json;
  if (typeof value !== 'object' || value === null) throw new TypeError('A route table is an object');
  const { version, ranges } = value as Partial<RouteTable>;
  if (!Array.isArray(ranges)) throw new TypeError('A route table has a list of ranges');
  return checkTable({ version: version as number, ranges });
}

/** The slots whose home isn't the same in both tables: there, registration is refused until they agree. */
export function differingSlots(a: RouteTable, b: RouteTable): Set<number> {
  const differing = new Set<number>();
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if (homeOf(a, slot) !== homeOf(b, slot)) differing.add(slot);
  }
  return differing;
}

function checkTable(table: RouteTable): RouteTable {
  if (!Number.isSafeInteger(table.version) || table.version < 1) throw new TypeError("A route table's version is a positive integer");
  let next = 0;
  for (const range of table.ranges) {
    const { from, to, home } = (range ?? {}) as RouteRange;
    if (from !== next || !Number.isInteger(to) || to < from || to >= SLOTS) throw new TypeError(`The ranges of a route table have a gap or overlap at slot ${next}`);
    if (typeof home !== 'string' || !REGION_PATTERN.test(home)) throw new TypeError(`The home of the range from slot ${from} is not a region's name`);
    next = to + 1;
  }
  if (next !== SLOTS) throw new TypeError(`The ranges of a route table end before slot ${SLOTS}`);
  return { version: table.version, ranges: joinNeighbours(table.ranges) };
}

function joinNeighbours(ranges: readonly RouteRange[]): RouteRange[] {
  const joined: RouteRange[] = [];
  for (const { from, to, home } of ranges) {
    const last = joined.at(-1);
    if (last?.home === home) last.to = to;
    else joined.push({ from, to, home });
  }
  return joined;
}
