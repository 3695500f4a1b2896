import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from '../../regions/harness/index.js';
import { RawConnection } from '../../regions/harness/raw-connection.js';
import { untilKnownEverywhere } from '../../regions/situations.js';
import { Flood, addressOf, signInFrom, usersOf } from './attackers.js';
import { world } from './world.js';

const [EAST, WEST] = ['east', 'west'] as const;
const PER_SECOND = 500;
const CALLS = 6 * PER_SECOND;
/** Places of the hashing queue (libs/adapters/hashing/hash-queue.ts). */
const PLACES = 64;
/** The default of `HOMEWARD_ATTEMPTS_PER_ADDRESS`. */
const PER_ADDRESS = 100;
const PAUSE_MS = 50;
/** Session checks and sign-ins that must have come through beside a flood; a busy machine takes longer to see so many. */
const BESIDE = 6;

describe('faults 33: 500 sign-ins per second with wrong passwords at one region', () => {
  let users: User[];
  let tokens: string[];
  const home = (index: number): string => `198.51.100.${index}`;

  beforeAll(async () => {
    users = [...(await usersOf(world(), EAST, 4)), ...(await usersOf(world(), WEST, 4))];
    for (const { id } of users) await untilKnownEverywhere(world(), id);
    tokens = [];
    for (const [index, user] of users.entries()) {
      const answer = await signInFrom(world(), EAST, home(index), user);
      expect(answer.status).toBe(201);
      tokens.push(answer.body.token);
    }
  });

  /** What goes on beside the flood, until enough of both was seen, and what of it failed. */
  async function beside(flood: Flood): Promise<{ checks: number; entered: number; waiting: number; failed: string[] }> {
    const seen = { checks: 0, entered: 0, waiting: 0, failed: [] as string[] };
    const lane = async (work: (turn: number) => Promise<void>): Promise<void> => {
      for (let turn = 0; flood.count < CALLS || Math.min(seen.checks, seen.entered) < BESIDE; turn += 1) {
        await work(turn);
        await new Promise((next) => setTimeout(next, PAUSE_MS));
      }
    };
    const must = (answer: Answer, status: number): void => {
      if (answer.status !== status) seen.failed.push(`${answer.status} ${answer.text}`);
    };
    await Promise.all([
      lane(async (turn) => {
        must(await world().check(EAST, tokens[turn % tokens.length]!), 200);
        seen.checks += 1;
      }),
      lane(async (turn) => {
        const index = turn % users.length;
        must(await signInFrom(world(), EAST, home(index), users[index]!), 201);
        seen.entered += 1;
      }),
      lane(async () => {
        seen.waiting = Math.max(seen.waiting, (await world().ops(EAST, 'GET', '/ops/status')).body.hashing.waiting);
      }),
    ]);
    return seen;
  }

  it('from many addresses: hashing is bounded, sessions are checked, and users from their own addresses enter', async () => {
    const unknown = Array.from({ length: 200 }, (_, index) => world().identifier(index % 2 === 0 ? EAST : WEST));
    const flood = new Flood(PER_SECOND, (number) => {
      const identifier = number % 3 === 0 ? users[number % users.length]!.identifier : unknown[number % unknown.length]!;
      return signInFrom(world(), EAST, addressOf(number), { identifier });
    });
    const seen = await beside(flood);
    await flood.stop();
    expect(seen.failed).toEqual([]);
    expect(seen.waiting).toBeGreaterThan(0);
    expect(seen.waiting).toBeLessThanOrEqual(PLACES);
    mustBeTyped(flood, /:(invalid-credentials|too-many-attempts|overloaded|home-unavailable)$/);
    expect(flood.answers.filter(({ body }) => body.type.endsWith(':overloaded')).length).toBeGreaterThan(CALLS / 4);
  });

  it('from one address: no more than its share of attempts is made, all others are refused', async () => {
    const flood = new Flood(PER_SECOND, (number) => signInFrom(world(), EAST, '203.0.113.7', { identifier: `nobody-${number}@example.com` }));
    const seen = await beside(flood);
    await flood.stop();
    expect(seen.failed).toEqual([]);
    mustBeTyped(flood, /:(invalid-credentials|too-many-attempts|overloaded|home-unavailable)$/);
    const wrong = flood.answers.filter(({ status }) => status === 401).length;
    expect(wrong).toBeGreaterThan(0);
    expect(wrong).toBeLessThanOrEqual(PER_ADDRESS);
  });

  it('callers that hang up before their answer hold no place', async () => {
    const [{ identifier, password }] = users as [User];
    const body = JSON.stringify({ identifier, password });
    const request = `POST /v1/sessions HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.50\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    for (let turn = 0; turn < 100; turn += 1) {
      const connection = RawConnection.to(world().ports(EAST).public).send(request);
      await new Promise((next) => setTimeout(next, turn % 7));
      connection.close();
    }
    await eventually(async () => expect((await signInFrom(world(), EAST, '203.0.113.50', { identifier, password })).status).toBe(201));
  });

  it('leaves nothing behind: hashing is idle, and anybody enters', async () => {
    await eventually(async () => expect((await world().ops(EAST, 'GET', '/ops/status')).body.hashing.waiting).toBe(0));
    const user = await world().register(EAST);
    expect((await signInFrom(world(), EAST, '203.0.113.99', user)).status).toBe(201);
    await world().settleAll();
  });
});

/** Every call was answered, and every answer was one of these problems, with the time to wait where it may be repeated. */
function mustBeTyped({ answers, failures, count }: Flood, types: RegExp): void {
  expect(failures).toEqual([]);
  expect(answers).toHaveLength(count);
  for (const { status, body, headers, text } of answers) {
    expect(body?.type, `${status} ${text}`).toMatch(types);
    if (status !== 401) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  }
}
