/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`;
const SAMPLE = new RegExp(String.raw`^(${NAME})(?:\{(${LABEL}(?:,${LABEL})*)?\})? (\S+)(?: -?\d+)?$`);
const COMMENT = new RegExp(String.raw`^# (?:HELP ${NAME} .*|TYPE ${NAME} (?:counter|gauge|histogram|summary|untyped))$`);

/** Reads a page of metrics. @throws Error at the first line that is not in Prometheus' text format */
export function readMetrics(page: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of page.split('\n')) {
    if (line === '' || COMMENT.test(line)) continue;
    const read = SAMPLE.exec(line);
    if (read === null) throw new Error(`not Prometheus text: ${line}`);
    const labels = Object.fromEntries([...(read[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name!, value!]));
    samples.push({ name: read[1]!, labels, value: Number(read[3]!.replace('+Inf', 'Infinity').replace('Nan', 'NaN')) });
  }
  return samples;
}

/** The sum of the samples of `name` whose labels are at least `labels`; undefined where there is none. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
  const found = samples.filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}
