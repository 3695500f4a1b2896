import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { MAX_REGIONS, highestPort, linkPort, planPorts, portUses } from '../../apps/local/ports.js';

describe('the ports of a deployment', () => {
  it('are those of the contract', () => {
    const plan = planPorts(4_000, ['east', 'west', 'north']);
    expect(plan.control).toBe(4_000);
    const listeners = Object.entries(plan.regions).map(([name, ports]) => [name, ports.public, ports.ops, ports.peer]);
    expect(listeners).toEqual([['east', 4_100, 4_101, 4_102], ['west', 4_200, 4_201, 4_202], ['north', 4_300, 4_301, 4_302]]);
  });

  it('never collide, for any number of regions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_REGIONS }), fc.integer({ min: 1_024, max: 60_000 }), (count, base) => {
        const names = Array.from({ length: count }, (_, index) => `r${index}`);
        const ports = portUses(planPorts(base, names)).map((use) => use.port);
        expect(new Set(ports).size).toBe(ports.length);
        expect(Math.max(...ports)).toBe(highestPort(base, count));
      }),
    );
  });

  it('lead each region to its own listener in the other', () => {
    const plan = planPorts(4_000, ['east', 'west', 'north']);
    const target = (from: string, to: string, service: 'peer' | 'kafka' | 'postgres') =>
      plan.links.find(({ port }) => port === linkPort(plan, from, to, service))?.target;
    expect(target('east', 'west', 'peer')).toBe(plan.regions['west']?.peer);
    expect(target('east', 'west', 'postgres')).toBe(plan.regions['west']?.postgres);
    expect(target('east', 'west', 'kafka')).toBe(plan.regions['west']?.kafkaPeers['east']);
    expect(target('north', 'west', 'kafka')).toBe(plan.regions['west']?.kafkaPeers['north']);
  });
});
