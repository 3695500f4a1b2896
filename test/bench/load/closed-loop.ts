import autocannon from 'autocannon';

/** Refusals are answers of an overloaded service and count as nothing done; more than this share, and the rate says nothing. */
const MOST_FAILED = 0.05;

/**
 * Calls again and again from so many clients at once.
 * @param call rejects for what is not the expected answer
 * @returns calls per second that ended well within `seconds`
 * @throws Error where more than a twentieth failed
 */
export async function inClosedLoop(clients: number, seconds: number, call: (client: number) => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1_000;
  let done = 0;
  const failures: unknown[] = [];
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    while (performance.now() < untilMs) {
      const ended = await call(client).then(() => true, (error: unknown) => void failures.push(error));
      if (ended && performance.now() < untilMs) done += 1;
    }
  }));
  if (failures.length > done * MOST_FAILED) throw new Error(`${failures.length} calls failed, ${done} did not`, { cause: failures[0] });
  return done / seconds;
}

/** Tokens that each connection presents by turns. */
const TOKENS_PER_CONNECTION = 16;
const CONNECTIONS = 32;

/**
 * GETs `url` as fast as it is answered, each connection with tokens of its own.
 * @returns answers per second @throws Error where any answer was not 200
 */
export async function throughput(url: string, tokens: readonly string[], seconds: number): Promise<number> {
  let connection = 0;
  const result = await autocannon({
    url, duration: seconds, connections: CONNECTIONS,
    setupClient: (client) => {
      const own = Array.from({ length: TOKENS_PER_CONNECTION }, (_, index) => tokens[(connection * TOKENS_PER_CONNECTION + index) % tokens.length]!);
      connection += 1;
      client.setRequests(own.map((token) => ({ method: 'GET' as const, headers: { authorization: `Bearer ${token}` } })));
    },
  });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${url}: ${result.non2xx} answers were not 200, ${result.errors} calls failed`);
  return result['2xx'] / result.duration;
}
