import type { FinalTransfer } from '../final.js';
import type { Intent } from '../model.js';
import { type Check, Findings, at } from './verdict.js';

const FINAL = new Set(['settled', 'failed', 'cancelled']);

/** Design, rule 6: two books, in which nothing comes from nowhere and nothing is left on its way. */
export const moneyConserved: Check = ({ final: { money } }) => {
  const findings = new Findings();
  const total = (book: (name: string) => boolean): number => Object.values(money.books).flatMap((books) => Object.entries(books)).reduce((sum, [name, amount]) => sum + (book(name) ? amount : 0), 0);
  const [users, issued] = [total((name) => name === 'account' || name === 'suspense'), -total((name) => name === 'deposits' || name === 'vouchers')];
  const clearings = new Set(Object.values(money.books).flatMap((books) => Object.keys(books)).filter((name) => name.startsWith('clearing:')));
  findings.look(users + total((name) => clearings.has(name)) === issued ? undefined : `users have ${users}, ${issued} were deposited and granted`);
  for (const clearing of clearings) findings.look(total((name) => name === clearing) === 0 ? undefined : `${clearing} still holds ${total((name) => name === clearing)}`);
  for (const [region, books] of Object.entries(money.books)) {
    const sum = Object.values(books).reduce((all, amount) => all + amount, 0);
    findings.look(sum === 0 ? undefined : `the postings of ${region} sum to ${sum}`);
  }
  for (const { region, posted, balances, lowest } of money.balances) {
    findings.look(posted === balances ? undefined : `balances in ${region} are ${balances}, posted were ${posted}`);
    findings.look(lowest >= 0 ? undefined : `a balance in ${region} is ${lowest}`);
  }
  return findings.verdict('money-conserved', 'users and money on its way are what was deposited and granted; no balance is negative');
};
/** Each order is one transfer with one end, the same everywhere; what was refused never happens. */
export const transfersEnd: Check = ({ model, final: { money }, history }) => {
  const findings = new Findings();
  const byOrder = Map.groupBy(money.transfers, ({ order }) => order);
  for (const intent of model.transfers) {
    const breach = breachOf(intent, byOrder.get(intent.key) ?? [], history.regions);
    if (intent.outcome === 'ok') findings.lookForWrite(breach);
    else findings.look(breach);
  }
  return findings.verdict('transfers-end', 'each order is one transfer that ends once, the same everywhere, and a refused one never happens');
};

function breachOf({ key, outcome, attempts, endMs }: Intent<'transfer'>, seen: readonly FinalTransfer[], regions: readonly string[]): string | undefined {
  const [ids, statuses] = [new Set(seen.map(({ transfer }) => transfer)), new Set(seen.map(({ status }) => status))];
  const said = `order ${key} of ${at(endMs)}`;
  if (ids.size > 1) return `${said} is ${ids.size} transfers`;
  if (outcome !== 'ok' && ids.size === 0) return undefined;
  if (outcome === 'refused') return attempts.some(({ problem }) => problem === 'insufficient-funds') && [...statuses].every((status) => status === 'failed') ? undefined : `${said} was refused and is ${[...statuses].join(', ')}`;
  const missing = regions.filter((region) => !seen.some((one) => one.region === region));
  if (missing.length > 0) return `${said} is not known in ${missing.join(', ')}`;
  if (statuses.size > 1 || ![...statuses].every((status) => FINAL.has(status))) return `${said} is ${seen.map(({ region, status }) => `${status} in ${region}`).join(', ')}`;
  return attempts.some(({ transferStatus }) => transferStatus === 'settled') && !statuses.has('settled') ? `${said} was said to be settled and is ${[...statuses].join(', ')}` : undefined;
}

/** What a wallet holds follows from its deposit and its transfers, and every region says so. */
export const walletsRight: Check = ({ final: { money } }) => {
  const findings = new Findings();
  const settled = new Map(money.transfers.filter(({ status }) => status === 'settled').map((transfer) => [transfer.transfer, transfer]));
  const moved = (account: string): number => [...settled.values()].reduce((sum, { payer, payee, amount }) => sum + (payee === account ? amount : 0) - (payer === account ? amount : 0), 0);
  for (const { account, region, balance, deposited } of money.wallets) {
    const due = deposited + moved(account);
    findings.look(balance === due ? undefined : `the wallet of ${account} shows ${balance} in ${region}, and should hold ${due}`);
  }
  return findings.verdict('wallets-right', 'a wallet holds its deposit and what its settled transfers moved, in every region');
};

/** I5 for what users are told. */
export const toldOnce: Check = ({ final: { money }, history }) => {
  const findings = new Findings();
  if (money.notifications !== undefined) {
    const counts = new Map<string, number>();
    const name = (region: string, account: string, kind: string, subject: string): string => `${region} ${account} ${kind} ${subject}`;
    for (const { region, account, kind, subject } of money.notifications) counts.set(name(region, account, kind, subject), (counts.get(name(region, account, kind, subject)) ?? 0) + 1);
    const known = new Set(money.wallets.map(({ account }) => account));
    const transfers = new Map(money.transfers.filter(({ status }) => FINAL.has(status)).map((transfer) => [transfer.transfer, transfer]));
    for (const { transfer, payer, payee, status } of transfers.values()) {
      const due = [[payer, `transfer-${status}`], ...(status === 'settled' ? [[payee, 'transfer-received']] : [])].filter(([account]) => known.has(account!));
      for (const region of history.regions) for (const [account, kind] of due) {
        const told = counts.get(name(region, account!, kind!, transfer)) ?? 0;
        findings.look(told === 1 ? undefined : `${account} was told ${told} times in ${region} of ${kind} ${transfer}`);
      }
    }
  }
  return findings.verdict('told-once', 'both users of a transfer are told once how it ended');
};
