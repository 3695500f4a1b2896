import type { History, Kind, Outcome } from '../history.js';
import { describeFault } from '../scenario.js';

const LEFT = 190;
const WIDTH = 1_000;
const ROW = 20;
const TOP = 40;
const FAULT = '#d9a441';
const COLOURS: Readonly<Record<Outcome, string>> = { ok: '#2e8b57', refused: '#e08e0b', unknown: '#b3261e' };

/** The drill as a picture (SVG): when each fault was in force, and every call by its operation and region, green, amber or red by its outcome. */
export function pictureOf(title: string, history: History): string {
  const { faults, operations, regions, fromMs, toMs } = history;
  const x = (ms: number): number => LEFT + ((ms - fromMs) / Math.max(1, toMs - fromMs)) * WIDTH;
  const kinds = [...new Set(operations.map(({ kind }) => kind))];
  const rows = kinds.flatMap((kind) => regions.map((region) => ({ kind, region })));
  const rowY = (kind: Kind, region: string): number => TOP + ROW * (faults.length + 1 + rows.findIndex((row) => row.kind === kind && row.region === region));
  const height = TOP + ROW * (faults.length + rows.length + 3);
  const sorted = faults.toSorted((a, b) => a.startMs - b.startMs);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 20}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/><text x="10" y="20" font-size="14">${escaped(title)}</text>`,
    ...sorted.map(({ startMs, endMs }) => `<rect x="${fixed(x(startMs))}" y="${TOP}" width="${fixed(x(endMs) - x(startMs))}" height="${height - TOP - ROW}" fill="${FAULT}" opacity="0.12"/>`),
    ...sorted.flatMap(({ fault, startMs, endMs }, index) => [
      label(describeFault(fault), TOP + ROW * index),
      `<rect x="${fixed(x(startMs))}" y="${TOP + ROW * index + 4}" width="${fixed(Math.max(2, x(endMs) - x(startMs)))}" height="${ROW - 8}" fill="${FAULT}"/>`,
    ]),
    ...rows.map(({ kind, region }) => label(`${kind} ${region}`, rowY(kind, region))),
    ...operations.map(({ kind, region, startMs, endMs, outcome }) =>
      `<rect x="${fixed(x(startMs))}" y="${rowY(kind, region) + 5}" width="${fixed(Math.max(1.5, x(endMs) - x(startMs)))}" height="${ROW - 10}" fill="${COLOURS[outcome]}" opacity="0.7"/>`),
    ...axis(fromMs, toMs, x, height),
    '</svg>', '',
  ].join('\n');
}

function axis(fromMs: number, toMs: number, x: (ms: number) => number, height: number): string[] {
  const totalS = (toMs - fromMs) / 1_000;
  const stepS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((step) => totalS / step <= 12) ?? 1_200;
  return Array.from({ length: Math.floor(totalS / stepS) + 1 }, (_, index) => {
    const at = fixed(x(fromMs + index * stepS * 1_000));
    return `<line x1="${at}" y1="${TOP}" x2="${at}" y2="${height - ROW}" stroke="#999" stroke-width="0.3"/><text x="${at}" y="${height - 6}" text-anchor="middle">${index * stepS} s</text>`;
  });
}

function label(text: string, y: number): string {
  return `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${escaped(text)}</text>`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
