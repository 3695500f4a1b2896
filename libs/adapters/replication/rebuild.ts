import { inspectOwn, inspectPeer, replacedBy, type Note, type PeerSeen } from './inspect.js';
import { merge, stage, type CopiedTable, type MergeCounts } from './copy.js';
import { subscriptionOptions, type RebuildReason } from './decide.js';
import { identifier, literal, publicationOf, slotOf, subscriptionFrom } from './names.js';
import type { PeerDatabase } from './peer-database.js';
import { schemaDifference } from './schema-difference.js';
import type { Session } from './session.js';
import { pause, timings } from './timings.js';

export interface RebuildTask {
  /** This region with its incarnation, as its slots name it. */
  readonly reader: string;
  readonly peer: string;
  readonly peerIncarnation: number;
  readonly reason: RebuildReason;
  readonly database: PeerDatabase;
  readonly tables: readonly string[];
  /** The note of the subscription that is there now. */
  readonly note: Note | null;
  /** How many times longer than usual connecting may take over this link, 1 or more. */
  readonly patience: number;
  readonly signal: AbortSignal;
}

/** The peer changed between the comparison and the copy; the next comparison says what it is now. */
export class PeerChangedError extends Error {
  readonly code = 'peer-changed';
  constructor(readonly detail: string) {
    super(`the peer changed while its rows were copied: ${detail}`);
    this.name = 'PeerChangedError';
  }
}

/** Every type is then written alike by any server, until the transaction ends. */
export const PLAIN_TEXTS = `SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'postgres', true),
  set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '3', true)`;
const SLOT_IN_USE = '55006';
const NO_SUCH_SLOT = '42704';

/**
 * The one way in which a pair is set up or set up again: stop what is there, make the slot, copy the owner's rows as they
 * were at the slot's beginning, merge them, subscribe. Until the last step the subscription is a placeholder without a slot,
 * so whatever interrupts it, the next comparison begins anew from here. The slot is made over a connection of its own and no
 * transaction is open here meanwhile, so two regions that do this at once never wait for each other.
 * @throws where a server is lost, changes or refuses; nothing is half done that a repetition would not undo
 */
export async function rebuild(here: Session, task: RebuildTask): Promise<MergeCounts> {
  await standStill(here, task);
  const counts: MergeCounts = { copied: 0, written: 0, deleted: 0 };
  const reader = await task.database.open('sql', timings.connectMs * task.patience);
  const abort = () => reader.destroy(new Error('stopping'));
  task.signal.addEventListener('abort', abort);
  try {
    await dropSlot(here, reader, task);
    const seen = await beginAtNewSlot(reader, task);
    const tables = await agreedTables(here, seen, task);
    for (const table of tables) counts.copied += await stage(reader, here, table, task.peer, task.signal);
    await reader.query('COMMIT');
    await mergeAll(here, tables, task.peer, counts);
    await subscribe(here, seen, task);
    return counts;
  } finally {
    task.signal.removeEventListener('abort', abort);
    await reader.close();
    if (here.alive) await here.query('DISCARD TEMP', undefined, timings.pageMs).catch(() => undefined);
  }
}

/** Takes the slot's name from the subscription and waits until its worker is gone: nothing may be applied beside the merge. */
async function standStill(here: Session, task: RebuildTask): Promise<void> {
  const name = identifier(subscriptionFrom(task.peer));
  const { subscription } = await inspectOwn(here, task.peer, []);
  if (subscription === null) return;
  if (subscription.slot !== null || subscription.enabled) {
    const due: Note = { system: task.note?.system, incarnation: task.note?.incarnation, publication: task.note?.publication, rebuilds: task.note?.rebuilds ?? 0, reason: task.reason, asked: task.note?.asked };
    await here.transact(async () => {
      await here.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
      await here.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await here.query(`COMMENT ON SUBSCRIPTION ${name} IS ${literal(JSON.stringify(due))}`);
    }, timings.ownQueryMs);
  }
  const running = `SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL`;
  for (let waitedMs = 0; (await here.query(running, [subscriptionFrom(task.peer)])).length > 0; waitedMs += 50) {
    if (waitedMs > timings.slotMs) throw new Error('the apply worker of the old subscription does not end');
    await pause(50, task.signal);
    task.signal.throwIfAborted();
  }
}

/** A walsender that an old cut has left behind may still hold the slot; it is our role's own, so we may end it. */
async function dropSlot(here: Session, reader: Session, task: RebuildTask): Promise<void> {
  const slot = slotOf(task.peer, task.reader);
  for (let waitedMs = 0; ; waitedMs += 50) {
    task.signal.throwIfAborted();
    await here.query('SELECT 1');
    const rows = await reader.query<{ active_pid: number | null }>('SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1', [slot]);
    if (rows.length === 0) return;
    const holder = rows[0]!.active_pid;
    if (holder !== null) await reader.query('SELECT pg_terminate_backend($1)', [holder]);
    try {
      if (holder === null) return void (await reader.query('SELECT pg_drop_replication_slot($1)', [slot]));
    } catch (error) {
      if (codeOf(error) === NO_SUCH_SLOT) return;
      if (codeOf(error) !== SLOT_IN_USE) throw error;
    }
    if (waitedMs > timings.slotMs) throw new Error(`the peer's slot ${slot} stays in use`);
    await pause(50, task.signal);
  }
}

/** Makes the slot and opens the reader's transaction exactly at its beginning; the snapshot outlives the slot's connection. */
async function beginAtNewSlot(reader: Session, task: RebuildTask): Promise<PeerSeen> {
  const maker = await task.database.open('replication', timings.connectMs * task.patience);
  const abort = () => maker.destroy(new Error('stopping'));
  task.signal.addEventListener('abort', abort);
  try {
    const [made] = await maker.query<{ snapshot_name: string }>(`CREATE_REPLICATION_SLOT ${identifier(slotOf(task.peer, task.reader))} LOGICAL pgoutput (SNAPSHOT 'export')`, undefined, timings.slotMs);
    await reader.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${literal(made!.snapshot_name)}; ${PLAIN_TEXTS}`);
    return await inspectPeer(reader, task.peer, task.reader);
  } finally {
    task.signal.removeEventListener('abort', abort);
    await maker.close();
  }
}

/** Looks again, inside the snapshot: a table or column may have come or gone since the comparison. */
async function agreedTables(here: Session, seen: PeerSeen, task: RebuildTask): Promise<CopiedTable[]> {
  if (seen.publication === null) throw new PeerChangedError('its publication is gone');
  const { tables } = seen.publication;
  const { schema } = await inspectOwn(here, task.peer, [...new Set([...tables, ...task.tables])]);
  const { here: missing } = schemaDifference({ tables, schema: seen.schema }, schema, task.tables);
  if (missing.length > 0) throw new PeerChangedError(missing.join('; '));
  return tables.map((name) => ({ name, columns: seen.schema[name]! }));
}

async function mergeAll(here: Session, tables: readonly CopiedTable[], owner: string, counts: MergeCounts): Promise<void> {
  await here.transact(async () => {
    await here.query('SET LOCAL session_replication_role = replica');
    // Seen without statistics of a freshly filled table: a nested loop over 20,000 rows twice, which took over 30 s.
    await here.query('SET LOCAL enable_nestloop = off');
    for (const table of tables) {
      const { written, deleted } = await merge(here, table, owner);
      counts.written += written;
      counts.deleted += deleted;
    }
  }, timings.mergeMs);
}

/**
 * Creating asks the peer for its tables while the catalogue is locked, so the old one is renamed rather than dropped in the
 * same transaction: dropping would hold a lock that every other subscription's worker needs.
 */
async function subscribe(here: Session, seen: PeerSeen, task: RebuildTask): Promise<void> {
  const name = identifier(subscriptionFrom(task.peer));
  const first = task.note?.system === undefined;
  const [now] = await here.query<{ at: string }>("SELECT to_jsonb(clock_timestamp()) #>> '{}' AS at");
  const note: Note = { system: seen.system, incarnation: task.peerIncarnation, publication: seen.publication!.oid, rebuilds: (task.note?.rebuilds ?? 0) + (first ? 0 : 1), reason: task.reason, at: new Date(now!.at).toISOString() };
  const { subscription } = await inspectOwn(here, task.peer, []);
  const limitMs = timings.subscribeMs * task.patience;
  await here.transact(async () => {
    if (subscription !== null) await here.query(`ALTER SUBSCRIPTION ${name} RENAME TO ${identifier(replacedBy(task.peer))}`);
    await here.query(
      `CREATE SUBSCRIPTION ${name} CONNECTION ${literal(task.database.conninfo)} PUBLICATION ${identifier(publicationOf(task.peer))}
       WITH (create_slot = false, slot_name = ${literal(slotOf(task.peer, task.reader))}, copy_data = false, ${subscriptionOptions})`,
      undefined,
      limitMs + timings.ownQueryMs,
    );
    await here.query(`COMMENT ON SUBSCRIPTION ${name} IS ${literal(JSON.stringify(note))}`);
  }, limitMs);
  await dropReplaced(here, task.peer);
}

/** Drops the placeholder whose successor is there; it has no slot, so the peer isn't asked. */
export async function dropReplaced(here: Session, peer: string): Promise<void> {
  await here.query(`DROP SUBSCRIPTION IF EXISTS ${identifier(replacedBy(peer))}`, undefined, timings.ownQueryMs);
}

const codeOf = (error: unknown): string | undefined => (error instanceof Error && 'code' in error ? String(error.code) : undefined);
