import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { programEnvironment } from '../config.js';
import type { Layout } from '../layout.js';
import { ask } from './ask.js';
import type { PartCommand, PartProgram } from './part.js';

/** Redis without persistence: what it holds is made again from PostgreSQL or by signing in again (design, "Sessions, exactly"). */
export class RedisPart implements PartProgram {
  readonly name = 'redis';
  readonly region: string;
  readonly logPath: string;
  readonly stopSignal = 'SIGTERM';
  readonly startMs = 15_000;
  readonly #binary: string;
  readonly #port: number;
  readonly #password: string;
  readonly #directory: string;

  constructor(layout: Layout, region: string, binary: string, port: number, password: string) {
    this.region = region;
    this.logPath = layout.log(region, 'redis');
    this.#binary = binary;
    this.#port = port;
    this.#password = password;
    this.#directory = layout.part(region, 'redis');
  }

  async prepare(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(this.#configuration, redisConfiguration(this.#port, this.#password, this.#directory), { mode: 0o600 });
  }

  command(): PartCommand {
    return { file: this.#binary, args: [this.#configuration], env: programEnvironment(), cwd: this.#directory };
  }

  probe(deadlineMs: number): Promise<boolean> {
    const question = Buffer.from(`AUTH ${this.#password}\r\nPING\r\n`);
    return ask(this.#port, question, (received) => (received.includes('+PONG') ? true : undefined), deadlineMs);
  }

  get #configuration(): string {
    return join(this.#directory, 'redis.conf');
  }
}

function redisConfiguration(port: number, password: string, directory: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${directory}"`,
    'daemonize no',
    'save ""',
    'appendonly no',
    // Sessions must not vanish because others came: a full Redis refuses instead.
    'maxmemory 256mb',
    'maxmemory-policy noeviction',
    'databases 1',
    '',
  ].join('\n');
}
