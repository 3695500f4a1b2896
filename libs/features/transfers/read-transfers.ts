import type { Database } from '#adapters/postgres';
import type { Clock } from '#kernel/clock';
import type { ConsistencyVersions } from '#kernel/ids';
import { type Cursor, type Page, decodeCursor, pageOf } from '#kernel/pages';
import { NotFoundError } from '#kernel/problems';
import { type ReadYourWrites, type RowsRead, type VersionedRow, worstOf } from '../consistency/index.js';
import { factsOf, factsOfPage, undecidedOf, versionsOf } from './transfer-rows.js';
import { type TransferFacts, type TransferView, isSeenBy, mergeFacts, viewOf } from './transfer-view.js';

/** What a peer is asked: its own rows of one transfer, or of a page. */
export interface TransfersQuestion {
  readonly kind: 'wallet' | 'request';
  readonly account: string;
  readonly id?: string;
  readonly limit?: number;
  readonly after?: Cursor;
}
export interface TransfersAnswer {
  readonly version: number;
  readonly facts: readonly TransferFacts[];
}
type TransfersRow = VersionedRow & TransfersAnswer;

/** Most transfers that a second read for a sum brings: far more than replication can be behind while the link works. */
const MOST_FETCHED = 200;

/** Reads transfers: the merge of what the accepting region, the payer's home and the payee's home wrote. */
export class ReadTransfers {
  constructor(
    private readonly own: { region: string; regions: readonly string[]; currency: string; expiryMs: number },
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly readYourWrites: ReadYourWrites,
  ) {}

  /** @throws NotFoundError where it is not there, or somebody else's */
  async one(account: string, id: string, token: ConsistencyVersions | undefined): Promise<{ view: TransferView; read: RowsRead }> {
    const fetched = await this.promised(account, token, { id });
    const view = this.view(mergeFacts([...(await this.facts(id)), ...fetched.facts]));
    if (view === undefined || !isSeenBy(account, view)) throw new NotFoundError();
    return { view, read: fetched.read };
  }

  /** @throws InvalidRequestError for an `after` that no page gave */
  async list(account: string, limit: number, after: string | undefined, token: ConsistencyVersions | undefined): Promise<Page<TransferView> & { read: RowsRead }> {
    const from = after === undefined ? undefined : decodeCursor(after);
    const atMost = limit + 1;
    const fetched = await this.promised(account, token, { limit: atMost, ...(from === undefined ? {} : { after: from }) });
    const local = await factsOfPage(this.database, this.own.regions, account, atMost, from);
    const views = merge([...local, ...fetched.facts]).map((facts) => this.view(facts)!).filter((view) => isSeenBy(account, view));
    return { ...pageOf(views.sort(newestFirst), limit, ({ requestedAt }) => requestedAt), read: fetched.read };
  }

  /** What an account has ordered and is not decided, by what is known here and what the token promises. */
  async pendingOut(account: string, token: ConsistencyVersions | undefined): Promise<{ amount: number; read: RowsRead }> {
    const fetched = await this.promised(account, token, { limit: MOST_FETCHED });
    const undecided = new Map((await undecidedOf(this.database, this.own.regions, account)).map(({ id, amount }) => [id, amount]));
    const known = await this.knownOf(fetched.facts);
    for (const { decision, requests: [request] } of known) {
      if (decision !== undefined) undecided.delete(decision.id);
      else if (request?.payer === account) undecided.set(request.id, request.amount);
    }
    const sum = [...undecided.values()].reduce((total, amount) => total + amount, 0);
    // More than a JSON number carries would only be the sum of orders that can't all be paid.
    return { amount: Math.min(sum, Number.MAX_SAFE_INTEGER), read: fetched.read };
  }

  /** All that is known here of one transfer; at most one. */
  facts(id: string): Promise<TransferFacts[]> {
    return factsOf(this.database, this.own.regions, [id]);
  }

  view(facts: TransferFacts): TransferView | undefined {
    return viewOf(facts, { currency: this.own.currency, expiryMs: this.own.expiryMs, nowMs: this.clock.wallMs() });
  }

  /** The writer's side of a second read: its own rows, which are always the newest. */
  async ownRows({ kind, account, id, limit, after }: TransfersQuestion): Promise<TransfersAnswer> {
    const own = [this.own.region];
    const [row] = await versionsOf(this.database, kind, own, account);
    const facts = id === undefined ? await factsOfPage(this.database, own, account, limit!, after) : await factsOf(this.database, own, [id]);
    return { version: row?.version ?? 0, facts };
  }

  /** What was fetched of transfers, with what is known of them here. */
  private async knownOf(fetched: readonly TransferFacts[]): Promise<TransferFacts[]> {
    return merge([...(await factsOf(this.database, this.own.regions, [...new Set(fetched.map(idOf))])), ...fetched]);
  }

  /** Waits for the rows that the token promises, and fetches what replication has not brought from its writers. */
  private async promised(account: string, token: ConsistencyVersions | undefined, question: Omit<TransfersQuestion, 'kind' | 'account'>): Promise<{ facts: TransferFacts[]; read: RowsRead }> {
    if (token?.account !== account) return { facts: [], read: 'local' };
    const reads = await Promise.all((['wallet', 'request'] as const).filter((kind) => token.versions[kind] !== undefined).map((kind) =>
      this.readYourWrites.rows<TransfersRow>(kind, token, account, () => this.versions(kind, account), '/peer/v1/rows/transfers', { kind, account, ...question })));
    return { facts: reads.flatMap(({ rows }) => rows.flatMap(({ facts }) => facts)), read: worstOf(reads.map(({ read }) => read)) };
  }

  private async versions(kind: 'wallet' | 'request', account: string): Promise<TransfersRow[]> {
    return (await versionsOf(this.database, kind, this.own.regions, account)).map((row) => ({ ...row, facts: [] }));
  }
}

function merge(facts: readonly TransferFacts[]): TransferFacts[] {
  const byId = new Map<string, TransferFacts[]>();
  for (const one of facts) {
    const id = idOf(one);
    byId.set(id, [...(byId.get(id) ?? []), one]);
  }
  return [...byId.values()].map(mergeFacts).filter(({ decision, requests }) => decision ?? requests[0]);
}

function idOf({ decision, requests, credit }: TransferFacts): string {
  return decision?.id ?? requests[0]?.id ?? credit!.id;
}

function newestFirst(a: TransferView, b: TransferView): number {
  if (a.requestedAt !== b.requestedAt) return a.requestedAt < b.requestedAt ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}
