import { Redis } from 'ioredis';
import type { Bench, Measurement } from '../bench.js';
import { BareCheck } from '../limits/children.js';
import { throughput } from '../load/closed-loop.js';
import { type Row, ratioAtLeast } from '../rows.js';
import { Rounds } from '../statistics.js';

const SECONDS = 4;
const WARM_UP_SECONDS = 3;
const ROUNDS = 4;
const SESSIONS = 512;
/** Where the bare server listens, from the deployment's base. */
const PORT_OFFSET = 90;

/** Session checks as fast as they are answered, beside a bare server on the same Redis. */
export const sessionCheck: Measurement = {
  name: 'session-check',
  run: async (bench: Bench): Promise<Row[]> => {
    const { here } = bench;
    const tokens = await bench.sessions(here, SESSIONS);
    await copyAnswers(bench, tokens);
    const bare = await BareCheck.start(bench.world.address.portBase + PORT_OFFSET, bench.redisUrl(here));
    const rounds = new Rounds<'ours' | 'bare'>();
    const ours = `${bench.url(here)}/v1/sessions/current`;
    try {
      for (const url of [ours, bare.url]) await throughput(url, tokens, bench.seconds(WARM_UP_SECONDS));
      for (let round = 0; round < bench.rounds(ROUNDS); round += 1) {
        rounds.note('ours', await throughput(ours, tokens, bench.seconds(SECONDS)));
        rounds.note('bare', await throughput(bare.url, tokens, bench.seconds(SECONDS)));
      }
    } finally {
      bare.stop();
    }
    return [{ name: 'session check, local', unit: '/s', ...rounds.pair('ours', 'bare'), against: 'bare Fastify + one ioredis GET', aim: ratioAtLeast(1) }];
  },
};

/** The bare server answers texts of the same length, from keys of its own. */
async function copyAnswers(bench: Bench, tokens: readonly string[]): Promise<void> {
  const answer = await bench.world.check(bench.here, tokens[0]!);
  const redis = new Redis(bench.redisUrl(bench.here));
  try {
    for (const token of tokens) await redis.set(`bench:${token}`, answer.text);
  } finally {
    redis.disconnect();
  }
}
