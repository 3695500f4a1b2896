import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { portBase } from './harness/config.js';
import { call, World } from './harness/index.js';
import { Launch, untilGone } from './harness/launch.js';

/** Apart from the deployment that the other specs share. */
const BASE = portBase + 600;
const data = mkdtempSync(join(tmpdir(), 'homeward-runtime-'));
const elsewhere = mkdtempSync(join(tmpdir(), 'homeward-runtime-'));
const world = new World({ portBase: BASE, data, regions: ['east'] });
const user = { identifier: 'ada@example.com', password: 'violet-otter-42' };
let running: Launch;

/** One region is enough for what concerns the runtime itself, and the quickest to start. */
function start(directory = data, regions = ['--regions', 'east']): Launch {
  return Launch.of(['--port-base', String(BASE), '--data', directory, ...regions]);
}

beforeAll(async () => {
  running = start();
  await running.untilReady();
});
afterAll(async () => {
  const left = running.processes();
  running.kill('SIGKILL');
  await untilGone(left);
  for (const directory of [data, elsewhere]) rmSync(directory, { recursive: true, force: true });
});

describe('the local runtime', () => {
  it('tells what a second start finds running, and ends with 1', async () => {
    const second = start();
    expect(await second.ended()).toBe(1);
    expect(second.output).toMatch(/Homeward is running already \(process \d+, control on 127\.0\.0\.1:\d+\); stop it first, or start another with --data DIR and --port-base N/);
    expect(second.output).not.toContain('    at ');
    expect((await world.control('GET', '/')).body).toMatchObject({ ready: true, regions: { east: { parts: { api: 'up', postgres: 'up', redis: 'up', kafka: 'up' } } }, links: {} });
  });

  it('names the ports that are taken and what they are for, and ends with 1', async () => {
    const second = start(elsewhere);
    expect(await second.ended()).toBe(1);
    expect(second.output).toContain(`${BASE} (the control API)`);
    expect(second.output).toContain(`${BASE + 100} (east, public API)`);
    expect(second.output).toMatch(/taken by another program; stop it, or choose other ports with --port-base/);
    expect(second.output).not.toContain('    at ');
    expect(existsSync(join(elsewhere, 'runtime.lock'))).toBe(false);
  });

  it('says a progress line per part, a table of addresses and one line ready', () => {
    for (const part of ['postgres', 'redis', 'kafka', 'api']) expect(running.output).toMatch(new RegExp(`^east ${part}\\b`, 'm'));
    expect(running.output).toMatch(new RegExp(`^east +127\\.0\\.0\\.1:${BASE + 100} +127\\.0\\.0\\.1:${BASE + 101} +127\\.0\\.0\\.1:${BASE + 102}`, 'm'));
    expect(running.output.match(/^ready$/gm)).toHaveLength(1);
  });

  it('leaves no process behind at SIGTERM, and the data stays for the next start', async () => {
    expect((await world.api('east', 'POST', '/v1/accounts', { body: user })).status).toBe(201);
    const processes = running.processes();
    const known = (JSON.parse(readFileSync(join(data, 'processes.json'), 'utf8')) as { pid: number }[]).map(({ pid }) => pid);
    expect(processes.map(({ pid }) => pid)).toEqual(expect.arrayContaining(known));
    expect(known.length).toBeGreaterThanOrEqual(4);
    running.kill('SIGTERM');
    expect(await running.ended()).toBe(0);
    await untilGone(processes);
    expect(existsSync(join(data, 'runtime.lock'))).toBe(false);
    await expect(call('GET', `http://127.0.0.1:${BASE}/`)).rejects.toThrow();

    running = start(data, []);
    await running.untilReady();
    expect(await world.trySignIn('east', user)).toMatchObject({ status: 201, body: { assurance: 'full' } });
  });

  it('leaves no process behind when it is killed, says that its lock was stale, and goes on with the same data', async () => {
    const processes = running.processes();
    running.kill('SIGKILL');
    expect(await running.ended()).toBe(null);
    await untilGone(processes);
    expect(existsSync(join(data, 'runtime.lock'))).toBe(true);

    const other = start(data, ['--regions', 'east,west']);
    expect(await other.ended()).toBe(1);
    expect(other.output).toMatch(/a stale lock file was left by process \d+, which is gone; going on/);
    expect(other.output).toMatch(/this deployment has the regions east, not east,west; .*--fresh/);

    running = start(data, []);
    await running.untilReady();
    expect((await world.trySignIn('east', user)).status).toBe(201);
  });
});
