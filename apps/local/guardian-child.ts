import { isAlive, killTree, signalProcess, thawTree, type ProcessMark } from './processes.js';

/**
 * The guardian: a process of its own session that outlives the runtime by a few seconds. The runtime tells it, one JSON
 * line each, of every process that it starts and of each that ended; when its end of the pipe closes (the runtime was
 * killed, however) whatever still runs is ended: asked first, then forced.
 */
const ASKED_MS = 6_000;
const POLL_MS = 50;

interface Charge {
  readonly mark: ProcessMark;
  readonly stopSignal: NodeJS.Signals;
}

const charges = new Map<number, Charge>();
let unfinished = '';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => {
  const lines = (unfinished + text).split('\n');
  unfinished = lines.pop() ?? '';
  for (const line of lines) note(JSON.parse(line) as { started?: Charge; ended?: number });
});
process.stdin.on('end', () => void endAll());
process.stdin.on('error', () => void endAll());

function note(message: { started?: Charge; ended?: number }): void {
  if (message.started !== undefined) charges.set(message.started.mark.pid, message.started);
  if (message.ended !== undefined) charges.delete(message.ended);
}

async function endAll(): Promise<void> {
  const left = [...charges.values()].filter((charge) => isAlive(charge.mark));
  for (const charge of left) {
    signalProcess(charge.mark.pid, charge.stopSignal);
    thawTree(charge.mark.pid);
  }
  const deadline = performance.now() + ASKED_MS;
  while (left.some((charge) => isAlive(charge.mark)) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  for (const charge of left) if (isAlive(charge.mark)) killTree(charge.mark.pid);
  process.exit(0);
}
