import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

const READY_MS = 10_000;

/** A process of a limit, apart from the generator as the service is. */
class Child {
  private constructor(readonly process: ChildProcess) {}

  static async start(name: string, args: readonly string[] = [], env: Record<string, string> = {}): Promise<Child> {
    const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), [...args], { env: { NODE_ENV: 'production', ...env }, execArgv: [] });
    const said = await Promise.race([
      once(child, 'message').then(([message]) => message as unknown),
      once(child, 'exit').then(() => 'it ended'),
      new Promise((resolve) => setTimeout(resolve, READY_MS, 'it said nothing').unref()),
    ]);
    if (said === 'ready') return new Child(child);
    child.kill('SIGKILL');
    throw new Error(`${name} did not start: ${String(said)}`);
  }

  async ask(message: object): Promise<unknown> {
    const answer = once(this.process, 'message');
    this.process.send(message);
    return (await answer)[0] as unknown;
  }

  stop(): void {
    this.process.kill('SIGKILL');
  }
}

/** Bare Fastify with one ioredis GET. */
export class BareCheck {
  private constructor(
    private readonly child: Child,
    readonly url: string,
  ) {}

  static async start(port: number, redisUrl: string): Promise<BareCheck> {
    return new BareCheck(await Child.start('bare-check-child', [String(port), redisUrl]), `http://127.0.0.1:${port}/v1/sessions/current`);
  }

  stop(): void {
    this.child.stop();
  }
}

/** Raw argon2 with a thread for each core. */
export class RawHash {
  private constructor(private readonly child: Child) {}

  static async start(): Promise<RawHash> {
    return new RawHash(await Child.start('raw-hash-child', [], { UV_THREADPOOL_SIZE: String(availableParallelism()) }));
  }

  /** Comparisons per second over so many seconds. */
  async rate(secret: { password: string; hash: string }, seconds: number): Promise<number> {
    return (await this.child.ask({ ...secret, atOnce: availableParallelism(), seconds })) as number;
  }

  stop(): void {
    this.child.stop();
  }
}
