import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from '#kernel/telemetry';
import type { HashJobMessage, HashReplyMessage } from './protocol.js';

/** Pause before a child that died is made again; it doubles while children die at once. */
const RESTART_MS = 50;
const RESTART_LONGEST_MS = 2_000;
/** A child that answered nothing this long while asked is stuck; far above any real hash, which may starve at low priority. */
const STUCK_MS = 10_000;

/** Keeps one hashing child alive. It is a child of the same session, since a priority counts only inside one (hot-paths, "Traps"). */
export class HashChildProcess {
  private child: ChildProcess | undefined;
  private stopping = false;
  private deaths = 0;
  private restart: NodeJS.Timeout | undefined;
  private watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly threads: number,
    private readonly events: { reply: (message: HashReplyMessage) => void; ready: () => void; lost: () => void },
    private readonly logger: Logger,
  ) {}

  get alive(): boolean {
    return this.child !== undefined;
  }

  start(): void {
    const own = fileURLToPath(import.meta.url);
    const child = fork(own.replace(/-process(\.[jt]s)$/, '$1'), {
      // Nothing of the service's environment: it holds secrets that hashing has no use for.
      env: { UV_THREADPOOL_SIZE: String(this.threads) },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child = child;
    child.on('error', (error) => this.logger.error({ err: error }, 'the hashing process has trouble'));
    child.on('message', (message: HashReplyMessage) => this.heard(message));
    child.once('exit', (code, signal) => this.died(child, { code, signal }));
    this.events.ready();
  }

  /** @returns false when there is no child to take it now */
  send(job: HashJobMessage): boolean {
    if (this.child?.connected !== true) return false;
    this.child.send(job);
    this.watch ??= setTimeout(() => this.child?.kill('SIGKILL'), STUCK_MS);
    return true;
  }

  /** To be called when nothing is asked any more: silence is no sign of being stuck then. */
  idle(): void {
    clearTimeout(this.watch);
    this.watch = undefined;
  }

  /** Ends the child and waits for its end. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.restart);
    const { child } = this;
    if (child === undefined) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  private heard(message: HashReplyMessage): void {
    this.deaths = 0;
    this.watch?.refresh();
    this.events.reply(message);
  }

  private died(child: ChildProcess, how: { code: number | null; signal: string | null }): void {
    if (this.child !== child) return;
    this.child = undefined;
    this.idle();
    this.events.lost();
    if (this.stopping) return;
    this.logger.error(how, 'the hashing process died; another one is started');
    this.restart = setTimeout(() => this.start(), Math.min(RESTART_MS * 2 ** Math.min(this.deaths, 10), RESTART_LONGEST_MS));
    this.deaths += 1;
  }
}
