import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { repositoryRoot } from '../../../apps/local/layout.js';
import { WARM_MS } from './bounds.js';

const FOLDER = 'test/faults/scenarios';
const LONGEST_S = 3_600;

const region = z.string().regex(/^[a-z][a-z0-9-]{0,15}$/);
const seconds = z.number().min(0).max(LONGEST_S);
const part = z.enum(['api', 'postgres', 'redis', 'kafka', 'all']);
/** When a fault comes, counted from the end of the control phase, how long it stays, and how often it comes again. */
const timing = {
  atS: seconds,
  forS: seconds,
  repeat: z.strictObject({ times: z.int().min(2).max(1_000), everyS: z.number().positive().max(LONGEST_S) }).optional(),
};
const fault = z.discriminatedUnion('fault', [
  z.strictObject({ fault: z.literal('cut'), between: z.tuple([region, region]), mode: z.enum(['blackhole', 'hold', 'syn', 'refuse']), direction: z.string().default('both'), ...timing }),
  z.strictObject({ fault: z.literal('slow'), between: z.tuple([region, region]), latencyMs: z.number().positive(), jitterMs: z.number().min(0).default(0), lossPercent: z.number().min(0).max(50).default(0), ...timing }),
  z.strictObject({ fault: z.literal('kill'), region, part, ...timing }),
  z.strictObject({ fault: z.literal('freeze'), region, part, ...timing }),
  z.strictObject({ fault: z.literal('clock'), region, offsetMs: z.int(), ...timing }),
]);

const scenario = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]+$/),
    about: z.string(),
    regions: z.array(region).min(2).default(['east', 'west']),
    /** The same traffic without any fault, before them and after the last one has gone. */
    controlS: seconds,
    healedS: seconds,
    faults: z.array(fault),
    traffic: z.strictObject({ usersPerRegion: z.int().min(2).max(200), perSecond: z.number().positive().max(1_000) }),
    promises: z.strictObject({
      /** What was written before a healing is in every region so soon after it. */
      caughtUpWithinS: seconds,
      /** Whether the latency of untouched operations is judged against the control phase (I6); it is told in any case. */
      untouchedLatency: z.boolean(),
    }),
  })
  .superRefine(({ regions, faults, controlS, promises }, context) => {
    if (promises.untouchedLatency && controlS * 1_000 <= WARM_MS) context.addIssue({ code: 'custom', path: ['controlS'], message: 'is over before latency can be compared with it' });
    faults.forEach((one, index) => {
      const named = 'between' in one ? one.between : [one.region];
      const wrong = named.filter((name) => !regions.includes(name));
      if (wrong.length > 0) context.addIssue({ code: 'custom', path: ['faults', index], message: `names ${wrong.join(', ')}, which is no region of the scenario` });
      if (one.repeat !== undefined && one.repeat.everyS <= one.forS) context.addIssue({ code: 'custom', path: ['faults', index, 'repeat'], message: 'comes again before it has gone' });
      if (one.fault !== 'cut') return;
      const [a, b] = one.between;
      if (!['both', `${a}-to-${b}`, `${b}-to-${a}`].includes(one.direction)) context.addIssue({ code: 'custom', path: ['faults', index, 'direction'], message: `is both, ${a}-to-${b} or ${b}-to-${a}` });
    });
  });

/** A drill as its file describes it; `docs/DRILLS.md` has the format. */
export type Scenario = z.infer<typeof scenario>;
/** One fault of a scenario, as its file has it. */
export type Fault = z.infer<typeof fault>;

/** @throws Error that names every fault of the text */
export function parseScenario(text: string, of: string): Scenario {
  const parsed = scenario.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${of} is no scenario: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`);
}

/** @throws Error where there is none of that name, with those that are there */
export function readScenario(name: string): Scenario {
  const known = scenarioNames();
  if (!known.includes(name)) throw new Error(`no scenario is called ${name}; there are ${known.join(', ')}`);
  return parseScenario(readFileSync(join(repositoryRoot(), FOLDER, `${name}.json`), 'utf8'), `${name}.json`);
}

export function scenarioNames(): string[] {
  return readdirSync(join(repositoryRoot(), FOLDER)).filter((file) => file.endsWith('.json')).map((file) => basename(file, '.json')).sort();
}

/** Each time that a fault comes, in order. */
export function occurrences(faults: readonly Fault[]): Fault[] {
  const all = faults.flatMap((one) => Array.from({ length: one.repeat?.times ?? 1 }, (_, index) => ({ ...one, atS: one.atS + index * (one.repeat?.everyS ?? 0) })));
  return all.sort((a, b) => a.atS - b.atS);
}

/** When the last fault has gone, in seconds after the control phase. */
export function faultsEndS(faults: readonly Fault[]): number {
  return Math.max(0, ...occurrences(faults).map(({ atS, forS }) => atS + forS));
}

/** A fault in words. */
export function describeFault(one: Fault): string {
  switch (one.fault) {
    case 'cut': return `${one.between.join('/')} cut (${one.mode}${one.direction === 'both' ? '' : `, ${one.direction}`})`;
    case 'slow': return `${one.between.join('/')} slow (${one.latencyMs} ± ${one.jitterMs} ms, ${one.lossPercent} % lost)`;
    case 'kill': return `${one.region}/${one.part} killed`;
    case 'freeze': return `${one.region}/${one.part} frozen`;
    case 'clock': return `${one.region} clock ${one.offsetMs > 0 ? '+' : ''}${one.offsetMs} ms`;
  }
}
