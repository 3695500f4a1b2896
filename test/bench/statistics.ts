/** The value below which a share `part` (0 to 1) of the values lie. @throws RangeError for none */
export function quantile(values: readonly number[], part: number): number {
  if (values.length === 0) throw new RangeError('a quantile of no values');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Several series of rounds, one value each a round. */
export class Rounds<Name extends string> {
  private readonly series = new Map<Name, number[]>();

  note(name: Name, value: number): void {
    const values = this.series.get(name);
    if (values === undefined) this.series.set(name, [value]);
    else values.push(value);
  }

  /** The median over the rounds. */
  of(name: Name): number {
    return median(this.series.get(name) ?? []);
  }

  /**
   * The value of `name` whose round had the median proportion to `against`, and that round's `against`: each round is
   * compared with its own limit, since the machine's pace changes between rounds.
   */
  pair(name: Name, against: Name): { measured: number; limit: number } {
    const [values, limits] = [this.series.get(name) ?? [], this.series.get(against) ?? []];
    const rounds = values.map((measured, round) => ({ measured, limit: limits[round]! })).sort((a, b) => a.measured / a.limit - b.measured / b.limit);
    if (rounds.length === 0) throw new RangeError(`no rounds of ${name}`);
    return rounds[Math.ceil(rounds.length / 2) - 1]!;
  }
}
