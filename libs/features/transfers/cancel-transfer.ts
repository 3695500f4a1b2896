import { type Peers, forwardWrite } from '#adapters/peer-client';
import { limits } from '#kernel/config';
import type { ConsistencyVersions } from '#kernel/ids';
import { HomeUnavailableError, NotFoundError, OutcomeUnknownError, TransferFinalError } from '#kernel/problems';
import type { TransferOrder } from '#kernel/wire';
import type { Decided, DecideTransfer } from './decide-transfer.js';
import type { KeepRequest } from './keep-request.js';
import type { ReadTransfers, TransfersAnswer, TransfersQuestion } from './read-transfers.js';
import { type RequestRow, type TransferFacts, type TransferView, mergeFacts } from './transfer-view.js';

/** What became of it: cancelled, or the home has still to be asked. */
export interface Cancelled {
  readonly status: 200 | 202;
  readonly view: TransferView;
  readonly versions: ConsistencyVersions['versions'];
  readonly read: 'local' | 'second';
}

/** Cancelling as a client asks for it, in any region: decided at the payer's home, sent there when it can't be asked. */
export class CancelTransfer {
  constructor(
    private readonly own: string,
    private readonly deciding: DecideTransfer,
    private readonly requests: KeepRequest,
    private readonly reading: ReadTransfers,
    private readonly peers: Peers,
  ) {}

  /**
   * @throws NotFoundError, TransferFinalError; HomeUnavailableError where nothing is known of it here and home can't be asked
   */
  async cancel(payer: { id: string; home: string }, id: string): Promise<Cancelled> {
    const facts = await this.find(payer, id);
    const view = this.reading.view(facts);
    if (view === undefined || view.payer !== payer.id) throw new NotFoundError();
    if (facts.decision !== undefined) return this.conclude(facts, {}, 'local');
    const order = orderOf(facts.requests[0]!);
    if (payer.home === this.own) return this.decided(facts, await this.deciding.cancel(order, () => true), payer.home, 'local');
    try {
      return this.decided(facts, await forwardWrite<Decided>(this.peers, payer.home, '/peer/v1/transfers/cancel', (deadline) => ({ order, deadline })), payer.home, 'second');
    } catch (error) {
      if (!(error instanceof HomeUnavailableError || error instanceof OutcomeUnknownError)) throw error;
    }
    await this.requests.sendCancel(order, payer.home);
    return { status: 202, view, versions: {}, read: 'local' };
  }

  /** What is known here, or else at home: a transfer of a moment ago may not have come here yet. */
  private async find({ id: account, home }: { id: string; home: string }, id: string): Promise<TransferFacts> {
    const here = await this.reading.facts(id);
    if (here.length > 0 || home === this.own) return mergeFacts(here);
    const question: TransfersQuestion = { kind: 'wallet', account, id };
    const outcome = await this.peers.find(home)?.call<TransfersAnswer>('read', '/peer/v1/rows/transfers', question, limits.readBudgetMs);
    if (outcome?.kind !== 'answered' || outcome.status !== 200) throw new HomeUnavailableError(home);
    return mergeFacts(outcome.body.facts);
  }

  private decided(facts: TransferFacts, { decision, version }: Decided, home: string, read: 'local' | 'second'): Cancelled {
    return this.conclude(mergeFacts([{ decision, requests: [] }, facts]), { wallet: { [home]: version } }, read);
  }

  private conclude(facts: TransferFacts, versions: ConsistencyVersions['versions'], read: 'local' | 'second'): Cancelled {
    if (facts.decision!.outcome !== 'cancelled') throw new TransferFinalError();
    return { status: 200, view: this.reading.view(facts)!, versions, read };
  }
}

/** The order as it was taken, from the row of the region that took it. */
function orderOf({ region, id, payer, payee, payeeHome, amount, memo, key, session, epoch, requestedAt }: RequestRow): TransferOrder {
  return { id, payer, payee, payeeHome, amount, ...(memo === undefined ? {} : { memo }), key, session, epoch, acceptedBy: region, requestedAt };
}
