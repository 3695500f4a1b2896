import type { GrantVouchers, Granted } from '../vouchers/index.js';
import type { IncidentRows } from './incident-rows.js';
import type { ReadIncidents } from './read-incidents.js';

/** What an operator grants to everybody whom an incident touched, or to these accounts. */
export interface Compensation {
  readonly incident?: string | undefined;
  /** Ids or identifiers. */
  readonly accounts?: readonly string[] | undefined;
  readonly amount: number;
  readonly memo?: string | undefined;
  readonly key: string;
}

/** What became of it. Repeated with the same key it grants nothing twice, and those that were not reached before. */
export interface Compensated {
  /** The merged incident, and whether it has closed: while it is open it may touch more. */
  readonly incident?: string;
  readonly closed?: boolean;
  /** Vouchers of accounts at home here. */
  readonly granted: number;
  /** Vouchers that other homes grant, now or after healing. */
  readonly sent: number;
  /** Accounts that nobody who could be asked knows. */
  readonly unknown: readonly string[];
}

/** Accounts of one transaction. */
const AT_ONCE = 500;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

/** Makes good what a fault cost: a voucher for each account, once per account and key, asked in any region. */
export class Compensate {
  constructor(
    private readonly incidents: ReadIncidents,
    private readonly rows: IncidentRows,
    private readonly vouchers: GrantVouchers,
  ) {}

  /** @throws NotFoundError for an incident that is not known here, and what GrantVouchers throws: what was granted by then stays, and a repetition grants the rest */
  async compensate({ incident, accounts, ...terms }: Compensation): Promise<Compensated> {
    if (incident === undefined) return sum(await this.inParts(accounts ?? [], terms));
    const { id, ids, closedAt } = await this.incidents.find(incident);
    const granted: Granted[] = [];
    for (let after: string | undefined = BEFORE_ALL; after !== undefined; ) {
      const touched: { readonly account: string }[] = await this.rows.touched(ids, AT_ONCE, after);
      granted.push(...(await this.inParts(touched.map(({ account }) => account), { ...terms, incident: id })));
      after = touched.length < AT_ONCE ? undefined : touched.at(-1)!.account;
    }
    return { incident: id, closed: closedAt !== null, ...sum(granted) };
  }

  private async inParts(accounts: readonly string[], terms: Omit<Parameters<GrantVouchers['grant']>[0], 'accounts'>): Promise<Granted[]> {
    const granted: Granted[] = [];
    for (let from = 0; from < accounts.length; from += AT_ONCE) granted.push(...(await this.vouchers.grant({ accounts: accounts.slice(from, from + AT_ONCE), ...terms })));
    return granted;
  }
}

function sum(granted: readonly Granted[]): Pick<Compensated, 'granted' | 'sent' | 'unknown'> {
  const of = (status: Granted['status']): Granted[] => granted.filter((one) => one.status === status);
  return { granted: of('granted').length, sent: of('sent').length, unknown: of('unknown').map(({ account }) => account) };
}
