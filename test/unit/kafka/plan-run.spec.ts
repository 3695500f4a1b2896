import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { planRun } from '../../../libs/adapters/kafka/plan-run.js';

const address = { writer: 'east', stream: 'epochs', partition: 1 } as const;
const key = '01890000-0000-7000-8000-000000000001';
const text = (number: number, more: object = {}) => JSON.stringify({ v: 1, ...address, number, key, payload: { account: key, epoch: number }, ...more });
const given = (numbers: number[]) => numbers.map((number, offset) => ({ bytes: text(number), offset }));

describe('a batch is planned by number', () => {
  it('what was applied is skipped, what follows on is taken, and a gap ends the plan', () => {
    const plan = planRun(given([3, 4, 5, 5, 6, 9, 10]), 4, address);
    expect(plan.steps.map(({ number }) => number)).toEqual([5, 6]);
    expect(plan.gapAt).toBe(9);
  });

  it('whatever is sent twice, rewound or lost, the steps are consecutive and each number comes once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 }), fc.nat(20), (numbers, last) => {
        const { steps } = planRun(given(numbers), last, address);
        expect(steps.map(({ number }) => number)).toEqual(steps.map((_, index) => last + 1 + index));
      }),
    );
  });

  it('bytes without a number are a stray from Kafka, and take the expected number where they were pulled', () => {
    const bytes = Buffer.from([0xff, 0x00]);
    expect(planRun([{ bytes, offset: 7 }, ...given([6])], 4, address)).toMatchObject({ steps: [], gapAt: 6, strays: [{ number: null, offset: 7, body: '/wA=' }] });
    expect(planRun([{ bytes, offset: undefined, expected: 5 }], 4, address).steps).toMatchObject([{ number: 5, letter: { reason: 'malformed', number: 5 } }]);
  });

  it('a version that is not known is kept aside under its number, and the next is taken', () => {
    const plan = planRun([{ bytes: text(5, { v: 2, payload: { new: true } }), offset: 0 }, { bytes: text(6), offset: 1 }], 4, address);
    expect(plan.steps).toMatchObject([{ number: 5, letter: { reason: 'unknown-version', version: 2, key } }, { number: 6, message: { number: 6 } }]);
  });

  it('a number above the head that the writer has told since is a stray, whose key and number are not believed; others are taken', () => {
    const [forged, next, late] = [{ bytes: text(9), offset: 3, writerHead: 6 }, { bytes: text(5), offset: 4, writerHead: 6 }, { bytes: text(7), offset: 5 }];
    const plan = planRun([forged, next, late], 4, address);
    expect(plan).toMatchObject({ steps: [{ number: 5 }], strays: [{ reason: 'unwritten', number: null, key: null, offset: 3 }], passed: 4, gapAt: 7 });
    expect(planRun([{ ...forged, writerHead: 9 }], 4, address)).toMatchObject({ steps: [], strays: [], gapAt: 9 });
  });

  it('what has been passed is the place of the last message that is applied, whether just now or before', () => {
    expect(planRun(given([3, 4]), 4, address).passed).toBe(1);
    expect(planRun([{ bytes: 'x', offset: 8 }, ...given([9])], 4, address).passed).toBeUndefined();
  });

  it("another writer's, stream's or partition's message is never applied here, nor is its number believed", () => {
    for (const more of [{ writer: 'west' }, { partition: 2 }]) {
      expect(planRun([{ bytes: text(5, more), offset: 0 }], 4, address)).toMatchObject({ steps: [], strays: [{ reason: 'misaddressed', number: null }] });
    }
  });
});
