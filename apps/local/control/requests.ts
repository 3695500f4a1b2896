import { z } from 'zod';

import { CUT_MODES, type Link, type LinkChange } from '../link/link.js';

const MAX_LATENCY_MS = 60_000;
/** A year: more is a mistake. */
const MAX_CLOCK_OFFSET_MS = 366 * 24 * 60 * 60 * 1_000;

/** Beyond it nothing arrives in a time that means anything. */
const MOST_LOST_PERCENT = 50;

const milliseconds = z.number().min(0).max(MAX_LATENCY_MS);

/** What a PUT to a part may say. */
export const partRequest = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('down'), signal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGABRT', 'SIGKILL']).optional() }),
  z.strictObject({ state: z.literal('up') }),
  z.strictObject({ state: z.literal('frozen') }),
]);

export const clockRequest = z.strictObject({ offsetMs: z.int().min(-MAX_CLOCK_OFFSET_MS).max(MAX_CLOCK_OFFSET_MS) });

/** What a PUT to the link between `a` and `b` may say, and what it means. */
export function linkRequest({ a, b }: Link) {
  return z
    .strictObject({
      state: z.enum(['up', 'cut']).optional(),
      mode: z.enum(CUT_MODES).optional(),
      direction: z.enum(['both', `${a}-to-${b}`, `${b}-to-${a}`]).optional(),
      latencyMs: milliseconds.optional(),
      jitterMs: milliseconds.optional(),
      lossPercent: z.number().min(0).max(MOST_LOST_PERCENT).optional(),
    })
    .refine((body) => Object.keys(body).length > 0, { message: 'says nothing; give state, latencyMs, jitterMs or lossPercent' })
    .refine((body) => body.state === 'cut' || (body.mode === undefined && body.direction === undefined), {
      message: 'mode and direction go with "state": "cut"',
      path: ['state'],
    })
    .transform((body): LinkChange => {
      const speed = {
        ...(body.latencyMs === undefined ? {} : { latencyMs: body.latencyMs }),
        ...(body.jitterMs === undefined ? {} : { jitterMs: body.jitterMs }),
        ...(body.lossPercent === undefined ? {} : { lossPercent: body.lossPercent }),
      };
      if (body.state === undefined) return speed;
      if (body.state === 'up') return { cut: null, ...speed };
      const direction = body.direction ?? 'both';
      const from = direction === 'both' ? 'both' : direction === `${a}-to-${b}` ? a : b;
      return { cut: { mode: body.mode ?? 'blackhole', from }, ...speed };
    });
}
