import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Custody } from '../custody.js';
import { RuntimeFailure, saysDiskFull } from '../failure.js';
import { Journal } from '../journal.js';
import { freezeTree, isAlive, killTree, signalProcess, thawTree, type ProcessMark } from '../processes.js';

/** How often a part that starts is asked whether it answers. */
const PROBE_EVERY_MS = 60;
/** One answer of a probe; a part under full load still makes it, a frozen one never does. */
export const PROBE_MS = 1_000;
/** After its end was asked for, a part has so long before it is forced; PostgreSQL first waits 3 s for senders across a cut link. */
const STOP_MS = 7_000;
/** After SIGKILL: the kernel frees what it held. */
const KILLED_MS = 3_000;
const FIRST_RESTART_MS = 500;
/** A part whose disk was full is back within 10 s of there being room (faults, 23), PostgreSQL's recovery included. */
const LAST_RESTART_MS = 3_000;
/** A part that ran so long before it died begins its restarts anew. */
const STEADY_MS = 30_000;

export type PartName = 'api' | 'postgres' | 'redis' | 'kafka';
export type PartState = 'up' | 'down';

/** How a part is started; what is the same for all of them is in `SupervisedPart`. */
export interface PartProgram {
  readonly name: PartName;
  readonly region: string;
  readonly logPath: string;
  /** Ends it cleanly. */
  readonly stopSignal: NodeJS.Signals;
  /** From its start to its first answer, at most. */
  readonly startMs: number;
  /** Makes what it needs on disk; called before each start. */
  prepare(): Promise<void>;
  command(): PartCommand;
  /** Whether it answers, within `deadlineMs`. Never throws. */
  probe(deadlineMs: number): Promise<boolean>;
  /** Its last words, where they aren't on its standard output. */
  lastLines?(): readonly string[];
}

export interface PartCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly ipc?: boolean;
}

export interface PartEvents {
  report(line: string): void;
}

/** One part of one region: started, stopped, frozen on demand; started again when it dies unasked. */
export class SupervisedPart {
  readonly program: PartProgram;
  readonly #custody: Custody;
  readonly #events: PartEvents;
  readonly #journal: Journal;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #wanted: PartState = 'down';
  #frozen = false;
  #starting = false;
  #startedAt = 0;
  #restartMs = FIRST_RESTART_MS;
  #toldWhy: string | undefined;
  #restart: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(program: PartProgram, custody: Custody, events: PartEvents) {
    this.program = program;
    this.#custody = custody;
    this.#events = events;
    this.#journal = new Journal(program.logPath);
  }

  get label(): string {
    return `${this.program.region} ${this.program.name}`;
  }

  /** The running process, for messages to it. */
  get child(): ChildProcess | undefined {
    return this.#child;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, or lets it run on, and returns when it answers. @throws RuntimeFailure when it doesn't. */
  up(): Promise<void> {
    return this.#inTurn(async () => {
      this.#wanted = 'up';
      this.#restartMs = FIRST_RESTART_MS;
      clearTimeout(this.#restart);
      if (this.#frozen) this.#thaw();
      if (this.#child === undefined) await this.#start();
      await this.#untilAnswers();
    });
  }

  /** Ends it and keeps it down. Returns when the process is gone. */
  down(signal?: NodeJS.Signals): Promise<void> {
    this.#wanted = 'down';
    clearTimeout(this.#restart);
    return this.#inTurn(() => this.#end(signal ?? this.program.stopSignal));
  }

  /** Stops its processes where they are; connections stay, nobody answers. */
  freeze(): Promise<void> {
    return this.#inTurn(async () => {
      const pid = this.pid;
      if (pid === undefined) throw new RuntimeFailure(`${this.label} is down; only what runs can be frozen`);
      freezeTree(pid);
      this.#frozen = true;
    });
  }

  /** What it is now: `up` only if it answers. */
  async state(): Promise<PartState> {
    if (this.#child === undefined || this.#frozen) return 'down';
    return (await this.program.probe(PROBE_MS)) ? 'up' : 'down';
  }

  /** For the way out: no waiting for turns, no restarts. */
  endNow(): void {
    this.#wanted = 'down';
    clearTimeout(this.#restart);
    if (this.pid !== undefined) killTree(this.pid);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(act, act);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  async #start(): Promise<void> {
    await this.program.prepare();
    if (this.#wanted === 'down') throw new RuntimeFailure(`${this.label} was told to stop while it started`);
    const command = this.program.command();
    this.#journal.startOver();
    const child = spawn(command.file, [...command.args], {
      cwd: command.cwd,
      env: { ...command.env },
      detached: true,
      stdio: command.ipc === true ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid }),
    });
    this.#custody.take(child, this.program.stopSignal);
    this.#journal.follow(child.stdout!);
    this.#journal.follow(child.stderr!);
    this.#child = child;
    this.#frozen = false;
    this.#startedAt = performance.now();
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => this.#gone(child, error.message, resolve));
      child.once('exit', (code, signal) => this.#gone(child, signal ?? `exit code ${code}`, resolve));
    });
  }

  #gone(child: ChildProcess, how: string, resolve: () => void): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#frozen = false;
    resolve();
    if (this.#wanted === 'down') return;
    // The last output may still be in the pipe.
    setTimeout(() => this.#diedUnasked(how), PROBE_EVERY_MS);
  }

  #diedUnasked(how: string): void {
    const lines = this.#lastLines();
    if (this.#wanted === 'down' || this.#starting) return;
    if (performance.now() - this.#startedAt > STEADY_MS) this.#restartMs = FIRST_RESTART_MS;
    const waitMs = this.#restartMs;
    this.#restartMs = Math.min(waitMs * 2, LAST_RESTART_MS);
    const why = this.#journal.saidDiskFull || lines.some(saysDiskFull) ? 'its disk is full' : how;
    // What goes on, as a full disk does for hours, is told once.
    if (why !== this.#toldWhy) {
      this.#events.report(`${this.label} died (${why}), starting it again in ${waitMs} ms and until it runs; its last lines:`);
      for (const line of lines) this.#events.report(`    ${line}`);
    }
    this.#toldWhy = why;
    this.#restart = setTimeout(() => void this.#startAgain(), waitMs);
  }

  #startAgain(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#wanted === 'down' || this.#child !== undefined) return;
      await this.#start();
      await this.#untilAnswers();
      this.#events.report(`${this.label} is up again`);
    }).catch((error: unknown) => {
      if (this.#wanted === 'up' && this.#child === undefined) this.#diedUnasked(String(error));
    });
  }

  async #untilAnswers(): Promise<void> {
    const deadline = performance.now() + this.program.startMs;
    this.#starting = true;
    try {
      while (!(await this.program.probe(PROBE_MS))) {
        if (this.#child === undefined || this.#wanted === 'down') throw await this.#startFailure('ended while it started');
        if (performance.now() > deadline) throw await this.#startFailure(`did not answer within ${this.program.startMs} ms`);
        await sleep(PROBE_EVERY_MS);
      }
      this.#toldWhy = undefined;
    } finally {
      this.#starting = false;
    }
  }

  async #startFailure(what: string): Promise<RuntimeFailure> {
    await sleep(2 * PROBE_EVERY_MS);
    const lines = this.#lastLines();
    if (this.#journal.saidDiskFull || lines.some(saysDiskFull)) return new RuntimeFailure(`${this.label} can't start: its disk is full`);
    return new RuntimeFailure([`${this.label} ${what}; its log is ${this.#journal.path}`, ...lines.map((line) => `    ${line}`)].join('\n'));
  }

  #lastLines(): string[] {
    return [...this.#journal.tail, ...(this.program.lastLines?.() ?? [])];
  }

  #thaw(): void {
    if (this.pid !== undefined) thawTree(this.pid);
    this.#frozen = false;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    let left: ProcessMark[] = [];
    if (signal === 'SIGKILL') left = killTree(child.pid);
    else {
      signalProcess(child.pid, signal);
      if (this.#frozen) this.#thaw();
    }
    await Promise.race([this.#exited, sleep(signal === 'SIGKILL' ? KILLED_MS : STOP_MS)]);
    if (this.#child === child) {
      left = killTree(child.pid);
      await Promise.race([this.#exited, sleep(KILLED_MS)]);
    }
    await this.#untilGone(left);
  }

  /** Children of PostgreSQL hold its shared memory a moment longer than the parent lives. */
  async #untilGone(left: readonly ProcessMark[]): Promise<void> {
    const deadline = performance.now() + KILLED_MS;
    while (left.some(isAlive) && performance.now() < deadline) await sleep(PROBE_EVERY_MS / 4);
  }
}
