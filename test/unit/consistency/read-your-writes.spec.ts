import { beforeEach, describe, expect, it } from 'vitest';
import type { Peers } from '#adapters/peer-client';
import { Arrivals, ReadYourWrites, type VersionedRow } from '#features/consistency';

const ACCOUNT = 'acc_1';
/** A client that has written in west what is not here. */
const TOKEN = { account: ACCOUNT, versions: { profile: { west: 5 } } };

class CountedArrivals extends Arrivals {
  waits = 0;

  override next(what: string, ms: number): Promise<void> {
    this.waits += 1;
    return super.next(what, ms);
  }
}

let here: VersionedRow[];
let arrivals: CountedArrivals;

beforeEach(() => {
  here = [{ region: 'west', version: 4 }];
  arrivals = new CountedArrivals();
});

/** @param linkUp whether west has answered within the last second */
function readsBeside(linkUp: boolean, asked: object = { kind: 'not-sent', why: 'peer unreachable' }) {
  const peers = { find: (region: string) => (region === 'west' ? { linkUp, call: async () => asked } : undefined) } as unknown as Peers;
  return new ReadYourWrites('east', peers, arrivals).rows('profile', TOKEN, ACCOUNT, async () => here, '/peer/v1/rows/profile', {});
}

describe('a read with a consistency token', () => {
  it('waits for nothing where its writes are here', async () => {
    here = [{ region: 'west', version: 5 }];
    expect(await readsBeside(true)).toEqual({ rows: here, read: 'local' });
    expect(arrivals.waits).toBe(0);
  });

  it('waits for a write that is on its way', async () => {
    const reading = readsBeside(true);
    await expect.poll(() => arrivals.waits).toBe(1);
    here = [{ region: 'west', version: 5 }];
    arrivals.arrived(`profile:${ACCOUNT}`);
    expect(await reading).toEqual({ rows: here, read: 'local' });
  });

  it('asks the writer for what did not come', async () => {
    expect(await readsBeside(true, { kind: 'answered', status: 200, body: { version: 5 } })).toEqual({ rows: [{ region: 'west', version: 5 }], read: 'second' });
  });

  it('faults 1: waits for nothing from a region that is known to be cut off, and says that the answer is stale', async () => {
    expect(await readsBeside(false)).toEqual({ rows: here, read: 'stale' });
    expect(arrivals.waits).toBe(0);
  });
});
