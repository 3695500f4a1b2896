import type { World } from '../../regions/harness/world.js';

/** Looking costs the databases something, and traffic goes on. */
const LOOK_EVERY_MS = 250;
const LONGEST_MS = 90_000;

const MARK_SQL = `SELECT clock_timestamp()::text AS at, body->>'boot' AS boot, (body->>'beat')::bigint AS beat FROM heartbeat WHERE region = $1`;
const LEFT_SQL = `SELECT ((SELECT count(*) FROM outbox WHERE created_at <= $1::timestamptz) + (SELECT coalesce(sum(last + 1 - first), 0) FROM outbox_batch WHERE created_at <= $1::timestamptz))::int AS events`;
const BEAT_SQL = `SELECT body->>'boot' AS boot, (body->>'beat')::bigint AS beat FROM heartbeat WHERE region = $1`;

interface Mark {
  /** By that database's clock. */
  readonly at: string;
  readonly boot: string;
  readonly beat: string;
}

/**
 * Watches how long it takes until every region has what was written anywhere before this moment, while writing goes on: events are
 * gone from their outbox when every peer has confirmed them, and a heartbeat row that has arrived brought all rows before it.
 */
export class CatchUp {
  private abandoned = false;

  constructor(
    private readonly world: World,
    private readonly say: (line: string) => void,
  ) {}

  /** Another fault has come: what is measured from now on is not this healing. */
  abandon(): void {
    this.abandoned = true;
  }

  /** @returns ms, as long as it is waited for at the most; undefined where it was abandoned */
  async run(): Promise<number | undefined> {
    const beganMs = performance.now();
    const marks = new Map<string, Mark>();
    for (;;) {
      if (this.abandoned) return undefined;
      const why = await this.lookAgain(marks).catch((error: unknown) => String(error));
      const ms = performance.now() - beganMs;
      if (why === undefined) return ms;
      if (ms > LONGEST_MS) {
        this.say(`not caught up within ${LONGEST_MS} ms: ${why}`);
        return ms;
      }
      await new Promise((look) => setTimeout(look, LOOK_EVERY_MS));
    }
  }

  /** @returns what is still missing, undefined where nothing is */
  private async lookAgain(marks: Map<string, Mark>): Promise<string | undefined> {
    const { world } = this;
    for (const writer of world.regions) {
      const mark = await this.markOf(writer, marks);
      const [left] = await world.sql<{ events: number }>(writer, LEFT_SQL, [mark.at]);
      if (left!.events > 0) return `${left!.events} events of ${writer} are not confirmed`;
      for (const reader of world.regions) {
        if (reader === writer) continue;
        const [seen] = await world.sql<{ boot: string; beat: string }>(reader, BEAT_SQL, [writer]);
        if (seen?.boot !== mark.boot || Number(seen.beat) < Number(mark.beat)) return `${reader} lacks rows of ${writer}`;
      }
    }
    return undefined;
  }
  /** The first mark holds; a service that has been started again since counts its beats anew, and what it finds there lies before its first. */
  private async markOf(writer: string, marks: Map<string, Mark>): Promise<Mark> {
    const [now] = await this.world.sql<Mark>(writer, MARK_SQL, [writer]);
    const known = marks.get(writer);
    const mark = known === undefined || known.boot === now!.boot ? (known ?? now!) : { ...now!, at: known.at };
    marks.set(writer, mark);
    return mark;
  }
}
