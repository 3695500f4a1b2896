import type { Credit, Decision, FailureReason } from './order.js';

/** A request as the region that took it wrote it. */
export interface RequestRow {
  readonly region: string;
  readonly id: string;
  readonly payer: string;
  readonly payee: string;
  readonly payeeHome: string;
  readonly amount: number;
  readonly memo?: string;
  /** base64url. */
  readonly key: string;
  readonly session: string;
  readonly epoch: number;
  readonly home: string;
  readonly requestedAt: string;
}

/** Everything that is known here of one transfer: rows of up to three writers, whose merge is its status. */
export interface TransferFacts {
  readonly decision?: Decision;
  readonly requests: readonly RequestRow[];
  readonly credit?: Credit;
}

/** A transfer as a client is told it. */
export interface TransferView {
  readonly id: string;
  readonly payer: string;
  readonly payee: string;
  readonly amount: number;
  readonly currency: string;
  readonly memo?: string;
  readonly status: 'queued' | Decision['outcome'];
  readonly reason?: FailureReason;
  readonly overdue?: true;
  readonly requestedAt: string;
  readonly settledAt?: string;
  readonly creditedAt?: string;
  readonly acceptedBy: string;
}

/** What a view takes besides the facts. */
export interface Shown {
  readonly currency: string;
  readonly expiryMs: number;
  readonly nowMs: number;
}

/**
 * The status of a transfer: the home's decision where it is known, else queued; other regions show, they don't conclude
 * (design, rule 7). Undefined where nothing is known.
 */
export function viewOf({ decision, requests, credit }: TransferFacts, { currency, expiryMs, nowMs }: Shown): TransferView | undefined {
  const first = earliest(requests);
  if (decision === undefined && first === undefined) return undefined;
  const { id, payer, payee, amount, memo, requestedAt } = (decision ?? first)!;
  const isOverdue = decision === undefined && nowMs - Date.parse(requestedAt) > expiryMs;
  return {
    id, payer, payee, amount, currency,
    ...(memo === undefined ? {} : { memo }),
    status: decision?.outcome ?? 'queued',
    ...(decision?.reason === undefined ? {} : { reason: decision.reason }),
    ...(isOverdue ? { overdue: true as const } : {}),
    requestedAt,
    ...(decision?.outcome === 'settled' ? { settledAt: decision.decidedAt } : {}),
    ...(credit === undefined || credit.suspense ? {} : { creditedAt: credit.creditedAt }),
    acceptedBy: decision?.acceptedBy ?? first!.region,
  };
}

/** The facts of one transfer from several places: what any of them knows is known. */
export function mergeFacts(facts: readonly TransferFacts[]): TransferFacts {
  const decision = facts.find((one) => one.decision !== undefined)?.decision;
  const credit = facts.find((one) => one.credit !== undefined)?.credit;
  const requests = new Map(facts.flatMap((one) => one.requests).map((request) => [request.region, request]));
  return { requests: [...requests.values()], ...(decision === undefined ? {} : { decision }), ...(credit === undefined ? {} : { credit }) };
}

/** Whether this account may see it: the payer everything of its own, the payee what has settled. */
export function isSeenBy(account: string, { payer, payee, status }: TransferView): boolean {
  return account === payer || (account === payee && status === 'settled');
}

/** Of requests for one transfer in several regions the same one is taken everywhere. */
function earliest(requests: readonly RequestRow[]): RequestRow | undefined {
  return requests.toSorted((a, b) => (a.requestedAt === b.requestedAt ? (a.region < b.region ? -1 : 1) : a.requestedAt < b.requestedAt ? -1 : 1))[0];
}
