import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type User, eventually } from './harness/index.js';
import { tokenMaker } from './harness/stores.js';
import { AT_ONCE_MS, cutFrom, during, fileWorld, killed, linkCut, mustBeProblem, otherThan } from './situations.js';

/** "At its origin and wherever it was cached within 5 s" (contract), and a margin for a busy machine. */
const ELSEWHERE_MS = 6_000;
/** "Ends within 2 s of healing" (faults, 11), counted from when all has settled. */
const HEALED_MS = 2_000;

const world = fileWorld();
const [east, west] = world.regions as [string, string];
/** One user signs out of single sessions, the other of all; both are known in both regions. */
let single: User;
let whole: User;

beforeAll(async () => {
  [single, whole] = await Promise.all([world.register(east), world.register(west)]);
  await world.settleAll();
});

type Path = '/v1/sessions/current' | '/v1/sessions';

function ask(region: string, path: Path, token: string): Promise<Answer> {
  return world.api(region, 'DELETE', path, { token });
}

/** Signs out; fails unless that was taken. @returns the consistency token */
async function signOut(region: string, path: Path, token: string): Promise<string> {
  const answer = await ask(region, path, token);
  expect([answer.status, answer.text]).toEqual([204, '']);
  expect(answer.headers['homeward-region']).toBe(region);
  return answer.headers['homeward-consistency'] as string;
}

async function mustBeDead(region: string, token: string): Promise<void> {
  mustBeProblem(await world.check(region, token), 401, 'session-invalid');
}

async function mustLive(region: string, token: string): Promise<void> {
  expect((await world.check(region, token)).status).toBe(200);
}

/** Signs in and has the session cached in the other region. */
async function signInSeen(region: string, user: User): Promise<string> {
  const token = await world.signIn(region, user);
  await mustLive(otherThan(world, region), token);
  return token;
}

describe('signing out of one session', () => {
  it('ends it at once where it was asked, within 5 s everywhere else, and no other session', async () => {
    for (const origin of world.regions) for (const asked of world.regions) {
      const [token, other] = [await signInSeen(origin, single), await signInSeen(origin, single)];
      await signOut(asked, '/v1/sessions/current', token);
      await mustBeDead(asked, token);
      await eventually(() => mustBeDead(otherThan(world, asked), token), ELSEWHERE_MS);
      for (const region of world.regions) await mustLive(region, other);
    }
  });

  it('works where the session was never seen before', async () => {
    const token = await world.signIn(east, single);
    await signOut(west, '/v1/sessions/current', token);
    await mustBeDead(west, token);
    await eventually(() => mustBeDead(east, token), ELSEWHERE_MS);
  });

  it('may be repeated as it is, in any region', async () => {
    const [token, other] = [await world.signIn(east, single), await world.signIn(east, single)];
    for (const region of [east, east, west, west]) await signOut(region, '/v1/sessions/current', token);
    for (const region of world.regions) {
      await mustBeDead(region, token);
      await mustLive(region, other);
    }
  });

});

describe('a session that was ended here', () => {
  /** Runs with a slow link whose connections are open, so that an origin read takes one round trip of 400 ms. */
  async function slowly(work: () => Promise<void>): Promise<void> {
    const unknown = Array.from({ length: 8 }, () => tokenMaker(world).create(east, single.id).token);
    await Promise.all(unknown.map((token) => mustBeDead(west, token)));
    await world.control('PUT', '/links/east/west', { latencyMs: 200 });
    await work().finally(() => world.control('PUT', '/links/east/west', { latencyMs: 0 }));
  }

  /** Checks sessions of east in west, each a little after the other: the origin may have answered already, or not have been asked. */
  async function whileRead(tokens: readonly string[], meanwhile: (token: string) => Promise<void>): Promise<void> {
    await Promise.all(tokens.map(async (token, index) => {
      const read = world.check(west, token);
      await new Promise((spread) => setTimeout(spread, index * 70));
      await meanwhile(token);
      await mustBeDead(west, token);
      await read;
      await mustBeDead(west, token);
    }));
  }

  it('is not brought back by an origin read that was on its way', async () => {
    const tokens = await Promise.all(Array.from({ length: 8 }, () => world.signIn(east, single)));
    await slowly(() => whileRead(tokens, async (token) => void (await signOut(west, '/v1/sessions/current', token))));
    await world.mustConverge();
    for (const token of tokens) for (const region of world.regions) await mustBeDead(region, token);
  });

  it('is not brought back by one either where all sessions of the account were ended', async () => {
    const [own, ...tokens] = await Promise.all([world.signIn(west, whole), ...Array.from({ length: 4 }, () => world.signIn(east, whole))]);
    await slowly(async () => {
      const reads = tokens.map((token) => world.check(west, token));
      await signOut(west, '/v1/sessions', own);
      await Promise.all(reads);
      for (const token of tokens) expect((await world.check(west, token)).status).toBe(401);
    });
    await world.mustConverge();
    for (const token of [own, ...tokens]) for (const region of world.regions) await mustBeDead(region, token);
  });
});

describe('signing out everywhere', () => {
  it('ends every session that the account had, at once where it was asked and within 5 s elsewhere; later ones live on', async () => {
    for (const asked of world.regions) {
      const elsewhere = otherThan(world, asked);
      const tokens = await Promise.all(world.regions.flatMap((region) => [signInSeen(region, whole), world.signIn(region, whole)]));
      const stranger = await world.signIn(asked, single);
      await signOut(asked, '/v1/sessions', tokens[0]!);
      const later = await signInSeen(asked, whole);
      for (const token of tokens) await mustBeDead(asked, token);
      await eventually(() => Promise.all(tokens.map((token) => mustBeDead(elsewhere, token))), ELSEWHERE_MS);
      const latest = await signInSeen(elsewhere, whole);
      await world.settleAll();
      for (const region of world.regions) for (const token of [later, latest, stranger]) await mustLive(region, token);
    }
  });

  it('has no effect when repeated with the session that it ended', async () => {
    const token = await world.signIn(east, whole);
    await signOut(west, '/v1/sessions', token);
    const later = await world.signIn(west, whole);
    for (const region of [west, east]) {
      await eventually(async () => mustBeProblem(await ask(region, '/v1/sessions', token), 401, 'session-invalid'), ELSEWHERE_MS);
    }
    await world.settleAll();
    for (const region of world.regions) await mustLive(region, later);
  });
});

describe('the consistency token of a sign-out', () => {
  const paths = ['/v1/sessions/current', '/v1/sessions'] as const;

  it('makes the other region see it at once', async () => {
    for (const path of paths) for (const asked of world.regions) {
      const token = await signInSeen(otherThan(world, asked), single);
      const consistency = await signOut(asked, path, token);
      mustBeProblem(await world.check(otherThan(world, asked), token, { consistency }), 401, 'session-invalid');
    }
  });

  it('is never answered without a mark by a region that can not know of it', async () => {
    const tokens = { [paths[0]]: await signInSeen(east, single), [paths[1]]: await signInSeen(east, whole) };
    await world.cut('blackhole');
    await world.untilCutSeen();
    for (const path of paths) {
      const token = tokens[path]!;
      const consistency = await signOut(east, path, token);
      await mustBeDead(east, token);
      const answer = await world.check(west, token, { consistency });
      if (answer.status === 200) expect(answer.headers['homeward-read']).toBe('stale');
      else mustBeProblem(answer, 401, 'session-origin-unavailable');
    }
    await world.heal();
    await world.mustConverge();
    for (const token of Object.values(tokens)) for (const region of world.regions) await mustBeDead(region, token);
  });
});

describe('with Redis frozen, a sign-out', () => {
  it('is taken, and holds from the first moment that Redis is back', async () => {
    const [one, ...all] = [await signInSeen(east, single), await world.signIn(east, whole), await world.signIn(east, whole)];
    await world.part(east, 'redis', { state: 'frozen' });
    await signOut(east, '/v1/sessions/current', one!);
    await signOut(east, '/v1/sessions', all[0]!);
    const back = world.part(east, 'redis', { state: 'up' });
    await eventually(async () => {
      for (const token of [one!, ...all]) {
        const answer = await world.check(east, token);
        expect(answer.status).not.toBe(200);
        mustBeProblem(answer, 401, 'session-invalid');
      }
    });
    await back;
    await world.mustConverge();
    for (const region of world.regions) for (const token of [one!, ...all]) await mustBeDead(region, token);
  });
});

describe.each([linkCut(world, 'blackhole'), linkCut(world, 'hold'), linkCut(world, 'refuse'), cutFrom(world, east), cutFrom(world, west), killed(world, east)])('while $name, signing out', (situation) => {
  const here = situation.alive.at(-1)!;
  const elsewhere = otherThan(world, here);
  let seen: string;
  let unseen: string;
  let theirs: string[];
  let later: string;
  const end = during(world, situation, async () => {
    [unseen, theirs] = await Promise.all([world.signIn(elsewhere, single), Promise.all([world.signIn(elsewhere, whole), world.signIn(here, whole)])]);
    seen = await signInSeen(elsewhere, single);
  });

  it('is taken at once and ends the session here at once, whether it was seen here before or not', async () => {
    for (const token of [seen, unseen]) {
      const answer = await ask(here, '/v1/sessions/current', token);
      expect(answer.status).toBe(204);
      expect(answer.ms).toBeLessThan(AT_ONCE_MS);
      await mustBeDead(here, token);
    }
  });

  it('everywhere is taken at once too, and no repetition ends the sessions that are made later', async () => {
    const answer = await ask(here, '/v1/sessions', theirs[0]!);
    expect(answer.status).toBe(204);
    expect(answer.ms).toBeLessThan(AT_ONCE_MS);
    later = await world.signIn(here, whole);
    for (const token of theirs) {
      await mustBeDead(here, token);
      mustBeProblem(await ask(here, '/v1/sessions', token), 401, 'session-invalid');
    }
    await mustLive(here, later);
  });

  it('holds everywhere once all is healed', async () => {
    await end();
    await world.mustConverge();
    await eventually(async () => {
      for (const token of [seen, unseen, ...theirs]) await mustBeDead(elsewhere, token);
    }, HEALED_MS);
    const latest = await signInSeen(elsewhere, whole);
    for (const region of world.regions) {
      for (const token of [later, latest]) await mustLive(region, token);
      for (const token of [seen, unseen, ...theirs]) await mustBeDead(region, token);
    }
  });
});
