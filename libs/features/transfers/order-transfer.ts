import { type Peers, forwardWrite } from '#adapters/peer-client';
import type { Clock } from '#kernel/clock';
import type { ConsistencyVersions } from '#kernel/ids';
import { HomeUnavailableError, IdempotencyKeyReusedError, InsufficientFundsError, InvalidRequestError, OutcomeUnknownError, PayeeUnknownError } from '#kernel/problems';
import { slotOf } from '#kernel/routing';
import type { TransferOrder } from '#kernel/wire';
import type { FindAccount } from '../accounts/index.js';
import type { Decided, DecideTransfer } from './decide-transfer.js';
import type { KeepRequest } from './keep-request.js';
import { type Decision, digestOfKey, transferId } from './order.js';
import type { ReadTransfers } from './read-transfers.js';
import { type TransferFacts, type TransferView, mergeFacts } from './transfer-view.js';

/** Who orders, as the session tells; hash and epoch are the evidence that goes to the home. */
export interface Payer {
  readonly id: string;
  readonly identifier: string;
  readonly home: string;
  /** base64url of the session's hash. */
  readonly session: string;
  readonly epoch: number;
}

/** A transfer as a client orders it; `payee` is an identifier or an account's id. */
export interface AskedTransfer {
  readonly payee: string;
  readonly amount: number;
  readonly memo?: string | undefined;
  /** The Idempotency-Key. */
  readonly key: string;
}

/** What became of an order: settled, or taken as a request. */
export interface Taken {
  readonly status: 201 | 202;
  readonly view: TransferView;
  readonly versions: ConsistencyVersions['versions'];
  readonly read: 'local' | 'second';
}

/** A transfer as a client orders it, in any region: decided at the payer's home, or kept here until the home can be asked. */
export class OrderTransfer {
  constructor(
    private readonly own: string,
    private readonly clock: Clock,
    private readonly accounts: FindAccount,
    private readonly deciding: DecideTransfer,
    private readonly requests: KeepRequest,
    private readonly reading: ReadTransfers,
    private readonly peers: Peers,
  ) {}

  /**
   * @param told called with the versions written as soon as they are known, so that a refusal tells them too
   * @throws InvalidRequestError, PayeeUnknownError, InsufficientFundsError, IdempotencyKeyReusedError, SessionInvalidError;
   * HomeUnavailableError where the payee is not known here and can't be asked for; OutcomeUnknownError where the home may
   * have decided and the order could not be kept here
   */
  async order(payer: Payer, asked: AskedTransfer, told: (versions: ConsistencyVersions['versions']) => void): Promise<Taken> {
    const payee = await this.accounts.find(asked.payee, 'payee');
    if (payee === undefined) throw new PayeeUnknownError();
    if (payee.id === payer.id) throw new InvalidRequestError([{ path: 'payee', message: 'must be somebody else' }]);
    const { amount, memo } = asked;
    const content = { payer: payer.id, payee: payee.id, amount, ...(memo === undefined ? {} : { memo }) };
    const key = digestOfKey(asked.key);
    const order: TransferOrder = {
      id: transferId(content, key), ...content, payeeHome: payee.home, key, session: payer.session, epoch: payer.epoch, acceptedBy: this.own,
      requestedAt: new Date(this.clock.wallMs()).toISOString(),
    };
    if (payer.home !== this.own) return this.orderAway(order, payer, told);
    const decided = await this.deciding.order(order, () => true);
    told({ wallet: { [this.own]: decided.version } });
    return this.answer(decided, await this.more(decided), payer.home, 'local');
  }

  private async orderAway(order: TransferOrder, payer: Payer, told: (versions: ConsistencyVersions['versions']) => void): Promise<Taken> {
    const { facts, isQueueing } = await this.requests.look(order);
    const isKept = facts.requests.some(({ region }) => region === this.own);
    if (facts.decision !== undefined && !isKept) return this.conclude(facts, {}, 'local');
    if (isKept || isQueueing) return this.queue(order, payer, facts);
    let mayBeDecided = false;
    try {
      const decided = await forwardWrite<Decided>(this.peers, payer.home, '/peer/v1/transfers', (deadline) => ({ order, deadline }));
      told({ wallet: { [payer.home]: decided.version } });
      return this.answer(decided, facts, payer.home, 'second');
    } catch (error) {
      if (!(error instanceof HomeUnavailableError || error instanceof OutcomeUnknownError)) throw error;
      mayBeDecided = error instanceof OutcomeUnknownError;
    }
    try {
      return await this.queue(order, payer, facts);
    } catch (error) {
      throw mayBeDecided && !(error instanceof IdempotencyKeyReusedError) ? new OutcomeUnknownError(payer.home) : error;
    }
  }

  /** Kept here, or kept already: its first answer was that it is queued, whatever it has become since. */
  private async queue(order: TransferOrder, { home, identifier }: Payer, facts: TransferFacts): Promise<Taken> {
    const version = await this.requests.keep(order, home, slotOf(identifier));
    const request = { ...order, region: this.own, home };
    const view = this.reading.view(mergeFacts([{ requests: [request] }, facts]))!;
    return { status: 202, view, versions: { request: { [this.own]: version } }, read: 'local' };
  }

  /** What else is known here of a transfer that had been decided before. */
  private async more({ isFresh, decision }: Decided): Promise<TransferFacts> {
    return isFresh ? { requests: [] } : mergeFacts(await this.reading.facts(decision.id));
  }

  private answer({ decision, credit, version }: Decided, facts: TransferFacts, home: string, read: 'local' | 'second'): Taken {
    const known = mergeFacts([{ decision, requests: [], ...(credit === undefined ? {} : { credit }) }, facts]);
    return this.conclude(known, { wallet: { [home]: version } }, read);
  }

  /** A decision is answered as a request where it was one, else as what it says. */
  private conclude(facts: TransferFacts, versions: ConsistencyVersions['versions'], read: 'local' | 'second'): Taken {
    const { outcome, reason } = facts.decision as Decision;
    const view = this.reading.view(facts)!;
    const wasQueued = facts.requests.length > 0;
    if (!wasQueued && reason === 'insufficient-funds') throw new InsufficientFundsError();
    if (!wasQueued && reason === 'payee-unknown') throw new PayeeUnknownError();
    return { status: !wasQueued && outcome === 'settled' ? 201 : 202, view, versions, read };
  }
}
