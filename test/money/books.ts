/** One posting as its writer has it. */
export interface Posting {
  readonly region: string;
  readonly entry: string;
  readonly leg: string;
  readonly book: string;
  readonly account: string | null;
  readonly amount: number;
}

/** How a transfer ended, as one region shows it; several where it shows several. */
export interface Shown {
  readonly region: string;
  readonly id: string;
  readonly outcome: string;
}

/** A notification as one region shows it, each id once. */
export interface Told {
  readonly region: string;
  readonly account: string;
  readonly kind: string;
  readonly subject: string;
}

/** All that is read of a deployment whose money has come to rest; plain data, so that a broken one can be made by hand. */
export interface Books {
  readonly regions: readonly string[];
  /** Of every region, its own. */
  readonly postings: readonly Posting[];
  readonly balances: readonly { readonly region: string; readonly account: string; readonly amount: number }[];
  readonly decisions: readonly (Shown & { readonly payer: string; readonly payee: string; readonly payeeHome: string; readonly home: string })[];
  readonly told: readonly Told[];
  /** Orders that some region still shows as undecided. */
  readonly undecided: readonly string[];
}

/** What clients were answered. */
export interface Answered {
  /** The ids of transfers that were answered 201 or 202. */
  readonly taken: ReadonlySet<string>;
  /** Those of them that were answered 201, or shown as settled. */
  readonly settled: ReadonlySet<string>;
  /** Of each account, what deposits that were answered 200 brought, and what those may have brought that were not answered. */
  readonly deposits: ReadonlyMap<string, { readonly sure: number; readonly unsure: number }>;
}

/** What each account is told of how a transfer ended: its payer, and its payee where it got the money. */
const TOLD: Readonly<Record<string, string>> = { settled: 'transfer-settled', failed: 'transfer-failed', cancelled: 'transfer-cancelled' };

/** Every way in which money was made, lost, moved twice, or a user was not told (design, rule 6); empty where there is none. */
export function breachesOf(books: Books, answered: Answered): string[] {
  return [...conserved(books), ...oneMove(books), ...balancesRight(books), ...ended(books, answered), ...toldOnce(books, answered), ...deposited(books, answered)];
}

function conserved({ postings, regions }: Books): string[] {
  const breaches: string[] = [];
  for (const [entry, legs] of Map.groupBy(postings, ({ region, entry }) => `${entry} in ${region}`)) {
    if (sum(legs) !== 0) breaches.push(`entry ${entry} sums to ${sum(legs)}`);
  }
  for (const [book, legs] of Map.groupBy(postings.filter(({ book }) => book.startsWith('clearing:')), ({ book }) => book)) {
    if (sum(legs) !== 0) breaches.push(`${book} holds ${sum(legs)}, and all debits should be credited`);
  }
  const users = sum(postings.filter(({ book }) => book === 'account' || book === 'suspense'));
  const issued = -sum(postings.filter(({ book }) => book === 'deposits' || book === 'vouchers'));
  const onItsWay = sum(postings.filter(({ book }) => book.startsWith('clearing:')));
  if (users + onItsWay !== issued) breaches.push(`users hold ${users} and ${onItsWay} is on its way, in ${regions.join(' and ')}; ${issued} was deposited and granted`);
  return breaches;
}

/** One debit and one credit of each settled transfer, none of any other. */
function oneMove({ postings, decisions }: Books): string[] {
  const breaches: string[] = [];
  const outcome = new Map(decisions.map(({ id, outcome }) => [id, outcome]));
  const moves = Map.groupBy(postings.filter(({ leg }) => leg === 'debit' || leg === 'credit'), ({ entry }) => entry);
  for (const id of new Set([...outcome.keys(), ...[...moves].filter(([, legs]) => legs.some(({ leg }) => leg === 'debit')).map(([entry]) => entry)])) {
    const legs = moves.get(id) ?? [];
    const counts = [legs.filter(({ leg }) => leg === 'debit').length, legs.filter(({ leg }) => leg === 'credit').length];
    const due = outcome.get(id) === 'settled' ? 1 : 0;
    if (counts[0] !== due || counts[1] !== due) breaches.push(`transfer ${id} is ${outcome.get(id) ?? 'undecided'} and has ${counts[0]} debits and ${counts[1]} credits`);
  }
  return breaches;
}

/** A balance is the sum of its postings and was never below zero, in whatever order credits came: the database refuses it, and no debit is without cover. */
function balancesRight({ postings, balances }: Books): string[] {
  const breaches: string[] = [];
  const posted = Map.groupBy(postings.filter(({ book }) => book === 'account'), ({ region, account }) => `${account} in ${region}`);
  const known = new Map(balances.map(({ region, account, amount }) => [`${account} in ${region}`, amount]));
  for (const name of new Set([...posted.keys(), ...known.keys()])) {
    const due = sum(posted.get(name) ?? []);
    if ((known.get(name) ?? 0) !== due) breaches.push(`the balance of ${name} is ${known.get(name) ?? 0}, and its postings sum to ${due}`);
    if (due < 0) breaches.push(`the balance of ${name} is negative`);
  }
  return breaches;
}

/** Each order that was taken has one end, the same in every region. */
function ended({ regions, decisions, undecided }: Books, { taken, settled }: Answered): string[] {
  const breaches = undecided.map((id) => `transfer ${id} is still undecided`);
  const shown = Map.groupBy(decisions, ({ id }) => id);
  for (const id of taken) {
    for (const region of regions) {
      const outcomes = (shown.get(id) ?? []).filter((one) => one.region === region).map(({ outcome }) => outcome);
      if (outcomes.length !== 1) breaches.push(`transfer ${id} has ${outcomes.length} ends in ${region}`);
    }
    const all = new Set((shown.get(id) ?? []).map(({ outcome }) => outcome));
    if (all.size > 1) breaches.push(`transfer ${id} ended as ${[...all].join(' and as ')}`);
    if (settled.has(id) && !all.has('settled')) breaches.push(`transfer ${id} was said to be settled and is ${[...all].join(', ')}`);
  }
  return breaches;
}

function toldOnce({ regions, decisions, told }: Books, { taken }: Answered): string[] {
  const breaches: string[] = [];
  const counts = new Map<string, number>();
  for (const { region, account, kind, subject } of told) counts.set(`${region} ${account} ${kind} ${subject}`, (counts.get(`${region} ${account} ${kind} ${subject}`) ?? 0) + 1);
  for (const { id, payer, payee, outcome } of new Map(decisions.map((one) => [one.id, one])).values()) {
    if (!taken.has(id)) continue;
    const due = [[payer, TOLD[outcome]!], ...(outcome === 'settled' ? [[payee, 'transfer-received']] : [])];
    for (const region of regions) {
      for (const [account, kind] of due) {
        const times = counts.get(`${region} ${account} ${kind} ${id}`) ?? 0;
        if (times !== 1) breaches.push(`${account} was told ${kind} of ${id} ${times} times in ${region}`);
      }
    }
  }
  return breaches;
}

/** A deposit that was answered is there once, and nothing more is there than was asked for. */
function deposited({ postings }: Books, { deposits }: Answered): string[] {
  const entries = new Set(postings.filter(({ book }) => book === 'deposits').map(({ entry }) => entry));
  return [...deposits].flatMap(([account, { sure, unsure }]) => {
    const came = sum(postings.filter((posting) => posting.account === account && posting.leg === 'credit' && entries.has(posting.entry)));
    return came >= sure && came <= sure + unsure ? [] : [`${came} was deposited to ${account}, where ${sure} was answered and ${unsure} was not`];
  });
}

function sum(postings: readonly Posting[]): number {
  return postings.reduce((total, { amount }) => total + amount, 0);
}
