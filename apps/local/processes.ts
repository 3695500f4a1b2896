import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** One process and no later one of the same number: its start time goes with it. */
export interface ProcessMark {
  readonly pid: number;
  /** Opaque; equal for the same process only. Empty where it could not be read. */
  readonly started: string;
}

const PS_TIMEOUT_MS = 2_000;
const hasProc = existsSync('/proc/self/stat');

/** The mark of a running process, or undefined if there is none of that number (a zombie counts as none). */
export function markOf(pid: number): ProcessMark | undefined {
  if (!hasProc) return markFromPs(pid);
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, started: fields[19] ?? '' };
}

/** The fields of /proc/PID/stat from the third (state) on; the name before them may hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function markFromPs(pid: number): ProcessMark | undefined {
  const [state, ...started] = ps(['-o', 'stat=,lstart=', '-p', String(pid)]).trim().split(/\s+/);
  if (state === undefined || state === '' || state.startsWith('Z')) return undefined;
  return { pid, started: started.join(' ') };
}

function ps(args: string[]): string {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', timeout: PS_TIMEOUT_MS, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

/** Whether that very process still runs. */
export function isAlive(mark: ProcessMark): boolean {
  const now = markOf(mark.pid);
  return now !== undefined && (now.started === mark.started || mark.started === '');
}

/** All descendants, parents first. PostgreSQL's lead sessions of their own, so a signal to a group misses them. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const [child, parent] of allParents()) {
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [child]);
    else known.push(child);
  }
  const found: number[] = [];
  const queue = [...(children.get(pid) ?? [])];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    found.push(next);
    queue.push(...(children.get(next) ?? []));
  }
  return found;
}

function allParents(): [number, number][] {
  if (!hasProc) {
    const lines = ps(['-A', '-o', 'pid=,ppid=']).trim().split('\n');
    return lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  }
  const pairs: [number, number][] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = statFields(pid)?.[1];
    if (parent !== undefined) pairs.push([pid, Number(parent)]);
  }
  return pairs;
}

/** Sends a signal; a process that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended before the signal: what the caller wanted, or what its own watching will report.
  }
}

/** Stops a process and all its descendants: the parent first, so that it makes no new ones meanwhile. */
export function freezeTree(pid: number): void {
  signalProcess(pid, 'SIGSTOP');
  for (const child of descendantsOf(pid)) signalProcess(child, 'SIGSTOP');
}

/** Lets a frozen tree run on: the children first, so that the parent finds them answering. */
export function thawTree(pid: number): void {
  for (const child of descendantsOf(pid).reverse()) signalProcess(child, 'SIGCONT');
  signalProcess(pid, 'SIGCONT');
}

/** Ends a process and all its descendants at once. @returns all of them, to be waited for. */
export function killTree(pid: number): ProcessMark[] {
  signalProcess(pid, 'SIGSTOP');
  const tree = [pid, ...descendantsOf(pid)];
  const marks = tree.flatMap((one) => markOf(one) ?? []);
  for (const one of tree) signalProcess(one, 'SIGKILL');
  return marks;
}
