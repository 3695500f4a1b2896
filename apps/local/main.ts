import { readConfig } from './config.js';
import { Deployment } from './deployment.js';
import { RuntimeFailure, saysDiskFull } from './failure.js';

/** Everything is ended within this, or by force. */
const STOP_MS = 14_000;
const PARENT_EVERY_MS = 250;
/** One Ctrl-C reaches the runtime twice: from the terminal, and handed on by npm. */
const SAME_WISH_MS = 700;

let stopping = false;
let stoppingSince = 0;
let deployment: Deployment | undefined;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Once in order; asked a second time, at once. @param why is said, unless a failure was told already */
async function stop(why: string | undefined, exitCode: number): Promise<void> {
  if (stopping) {
    if (performance.now() - stoppingSince < SAME_WISH_MS) return;
    deployment?.endNow();
    process.exit(1);
  }
  stopping = true;
  stoppingSince = performance.now();
  if (why !== undefined) say(`stopping: ${why}`);
  setTimeout(() => {
    deployment?.endNow();
    process.exit(1);
  }, STOP_MS).unref();
  await deployment?.stop();
  if (why !== undefined) say('stopped');
  process.exit(exitCode);
}

function failed(error: unknown): void {
  if (stopping) return;
  const text = error instanceof RuntimeFailure ? error.message : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`${saysDiskFull(text) && !(error instanceof RuntimeFailure) ? `the disk is full: ${String(error)}` : text}\n`);
  void stop(undefined, 1);
}

/** npm may be killed in ways that it can't pass on; its child then has another parent. */
function followParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && !stopping) void stop('npm is gone', 0);
  }, PARENT_EVERY_MS).unref();
}

// kafkajs asks for timers of negative length, which newer Nodes warn of; all other warnings are still shown.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'TimeoutNegativeWarning') process.stderr.write(`${warning.stack ?? warning.message}\n`);
});
// A reader of our lines that went away is no reason to end.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal, 0));
process.on('uncaughtException', failed);
process.on('unhandledRejection', failed);

try {
  const config = readConfig(process.argv.slice(2));
  if (config.followParent) followParent();
  deployment = new Deployment(config, { report: say });
  await deployment.run();
  say('ready');
} catch (error) {
  failed(error);
}
