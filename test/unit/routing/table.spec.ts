import { createHash } from 'node:crypto';
import { newId } from '#kernel/ids';
import { differingSlots, digestOf, evenTable, homeOf, parseTable, partitionOf, type RouteTable, SLOTS, slotOf, slotOfBytes } from '#kernel/routing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('a slot', () => {
  it('is the first 4 bytes of SHA-256 of the identifier, big-endian, modulo 1024', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (identifier) => {
        const hex = createHash('sha256').update(identifier, 'utf8').digest('hex');
        expect(slotOf(identifier)).toBe(Number.parseInt(hex.slice(0, 8), 16) % 1024);
        expect(slotOfBytes(Buffer.from(identifier))).toBe(slotOf(identifier));
      }),
    );
  });

  it('of known identifiers is the same for ever', () => {
    expect(slotOf('alice@example.com')).toBe(0xff8d9819 % 1024);
    expect(slotOf('+4915112345678')).toBe(Number.parseInt(createHash('sha256').update('+4915112345678').digest('hex').slice(0, 8), 16) % 1024);
  });
});

describe('a partition', () => {
  it('is computed from the id, in range, and used evenly', () => {
    const counts = [0, 0, 0, 0];
    for (let index = 0; index < 4000; index += 1) counts[partitionOf(newId(), 4)]! += 1;
    for (const count of counts) expect(count).toBeGreaterThan(800);
    expect(partitionOf('0190163d-8694-739b-aea5-966c26f8ad91', 4)).toBe(partitionOf('0190163d-8694-739b-aea5-966c26f8ad91', 4));
    expect(() => partitionOf('no uuid', 4)).toThrow(TypeError);
  });
});

describe('the route table', () => {
  it('is even and contiguous, in name order', () => {
    expect(evenTable(['west', 'east'])).toEqual({
      version: 1,
      ranges: [
        { from: 0, to: 511, home: 'east' },
        { from: 512, to: 1023, home: 'west' },
      ],
    });
    expect(evenTable(['west', 'east', 'north']).ranges.map(({ from, to }) => to - from + 1)).toEqual([341, 341, 342]);
    expect(() => evenTable(['east', 'east'])).toThrow(TypeError);
    expect(() => evenTable([])).toThrow(TypeError);
    expect(() => evenTable(['East'])).toThrow(TypeError);
  });

  it('has one home for every slot, and none for other numbers', () => {
    const table = evenTable(['east', 'west', 'north']);
    const homes = Array.from({ length: SLOTS }, (_, slot) => homeOf(table, slot));
    expect(homes).toEqual(homes.toSorted());
    expect(() => homeOf(table, SLOTS)).toThrow(RangeError);
    expect(() => homeOf(table, -1)).toThrow(RangeError);
  });

  it('has the same digest exactly when it is the same table', () => {
    const table = evenTable(['east', 'west']);
    const split: RouteTable = { version: 1, ranges: [{ from: 0, to: 99, home: 'east' }, { from: 100, to: 511, home: 'east' }, { from: 512, to: 1023, home: 'west' }] };
    expect(digestOf(table)).toMatch(/^[0-9a-f]{64}$/);
    expect(digestOf(split)).toBe(digestOf(table));
    expect(digestOf(parseTable(JSON.stringify(table)))).toBe(digestOf(table));
    expect(digestOf({ ...table, version: 2 })).not.toBe(digestOf(table));
    expect(digestOf(evenTable(['east', 'north']))).not.toBe(digestOf(table));
  });

  it('is refused with a gap, an overlap, a missing end or a malformed home', () => {
    const range = (from: number, to: number, home = 'east') => ({ from, to, home });
    for (const ranges of [[], [range(0, 1022)], [range(1, 1023)], [range(0, 500), range(500, 1023)], [range(0, 500), range(502, 1023)], [range(0, 1024)], [range(0, 1023, 'E')], [null]]) {
      expect(() => parseTable({ version: 1, ranges })).toThrow(TypeError);
    }
    expect(() => parseTable({ version: 0, ranges: [range(0, 1023)] })).toThrow(TypeError);
    expect(() => parseTable(null)).toThrow(TypeError);
  });

  it('tells exactly the slots in which it differs from another', () => {
    const two = evenTable(['east', 'west']);
    expect(differingSlots(two, { ...two, version: 7 }).size).toBe(0);
    const other = parseTable({ version: 2, ranges: [{ from: 0, to: 499, home: 'east' }, { from: 500, to: 1023, home: 'west' }] });
    expect([...differingSlots(two, other)]).toEqual(Array.from({ length: 12 }, (_, index) => 500 + index));
  });
});
