import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { programEnvironment } from '../config.js';
import { RuntimeFailure } from '../failure.js';
import { repositoryRoot, type Layout } from '../layout.js';
import type { PartCommand, PartProgram, SupervisedPart } from './part.js';

const CLOCK_MS = 3_000;
/** What a region says, beside why, that lost its disks. */
const REBUILD_COMMAND = 'regions -- rebuild';

/** A region's service: the program in `apps/region`, told everything by its environment. */
export class ServicePart implements PartProgram {
  readonly name = 'api';
  readonly region: string;
  readonly logPath: string;
  readonly stopSignal = 'SIGTERM';
  readonly startMs = 60_000;
  readonly #opsPort: number;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #directory: string;
  #clockOffsetMs: number;

  constructor(layout: Layout, region: string, opsPort: number, environment: Readonly<Record<string, string>>) {
    this.region = region;
    this.logPath = layout.log(region, 'api');
    this.#opsPort = opsPort;
    this.#environment = environment;
    this.#directory = layout.part(region, 'api');
    this.#clockOffsetMs = Number(environment['HOMEWARD_CLOCK_OFFSET_MS'] ?? 0);
  }

  async prepare(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  command(): PartCommand {
    const env = { ...this.#environment, NODE_ENV: 'production', HOMEWARD_CLOCK_OFFSET_MS: String(this.#clockOffsetMs) };
    return {
      file: process.execPath,
      args: ['--enable-source-maps', join(repositoryRoot(), 'dist', 'apps', 'region', 'main.js')],
      env: programEnvironment(env),
      cwd: this.#directory,
      ipc: true,
    };
  }

  /** It answers; what it says of its parts is another matter. */
  async probe(deadlineMs: number): Promise<boolean> {
    return this.#get('/health/live', deadlineMs);
  }

  /** It can serve: its database is there and migrated. */
  async isReady(deadlineMs: number): Promise<boolean> {
    return this.#get('/health/ready', deadlineMs);
  }

  /** Why it serves nobody until it is rebuilt; undefined where nothing of the kind is said. */
  async mustBeRebuilt(deadlineMs: number): Promise<string | undefined> {
    const health = (await this.#ask('/health/ready', deadlineMs, {}, true)) as { error?: { postgres?: { message?: string } } } | undefined;
    const message = health?.error?.postgres?.message;
    return message?.includes(REBUILD_COMMAND) === true ? message : undefined;
  }

  /** What was found when it was rebuilt, and what is known to be missing. */
  async rebuilt(deadlineMs: number): Promise<unknown> {
    return ((await this.#ask('/ops/status', deadlineMs, this.#operator)) as OpsStatus | undefined)?.rebuilt ?? null;
  }

  get #operator(): Record<string, string> {
    return { authorization: `Bearer ${this.#environment['HOMEWARD_OPS_TOKEN']}` };
  }

  /** It reads every peer over both channels, and hears them: a cut now would find everything at work. */
  async isConnected(deadlineMs: number): Promise<boolean> {
    const status = await this.#ask('/ops/status', deadlineMs, this.#operator);
    const peers = Object.values((status as OpsStatus | undefined)?.peers ?? { none: {} });
    return peers.every((peer) => peer.link === 'up' && peer.kafka?.connected === true && peer.replication?.state === 'streaming');
  }

  /**
   * Sets how far off the service believes the clock to be, now and whenever it starts again.
   * @throws RuntimeFailure when a running service doesn't confirm it
   */
  async setClock(part: SupervisedPart, offsetMs: number): Promise<void> {
    this.#clockOffsetMs = offsetMs;
    const child = part.child;
    if (child === undefined || !child.connected) return;
    await new Promise<void>((resolve, reject) => {
      const end = (failure?: RuntimeFailure): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const onMessage = (message: { type?: string; offsetMs?: number }): void => {
        if (message.type === 'clock-set' && message.offsetMs === offsetMs) end();
      };
      // It will be told at its next start.
      const onExit = (): void => end();
      const timer = setTimeout(() => end(new RuntimeFailure(`${part.label} did not confirm its clock within ${CLOCK_MS} ms; it may be frozen`)), CLOCK_MS);
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send({ type: 'clock', offsetMs }, () => undefined);
    });
  }

  async #get(path: string, deadlineMs: number): Promise<boolean> {
    return (await this.#ask(path, deadlineMs)) !== undefined;
  }

  /** The JSON of a good answer in time, or of any with `refusals`; undefined for everything else. */
  async #ask(path: string, deadlineMs: number, headers: Record<string, string> = {}, refusals = false): Promise<unknown> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#opsPort}${path}`, { headers, signal: AbortSignal.timeout(deadlineMs) });
      const body = (await response.json()) as unknown;
      return response.ok || refusals ? body : undefined;
    } catch {
      return undefined;
    }
  }
}

/** What of `/ops/status` is looked at here. */
interface OpsStatus {
  readonly rebuilt?: unknown;
  readonly peers?: Record<string, { link?: string; kafka?: { connected?: boolean }; replication?: { state?: string } }>;
}
