import { describe, expect, it } from 'vitest';
import { type Answered, type Books, type Posting, breachesOf } from '../../money/books.js';

const REGIONS = ['east', 'west'];

function posting(region: string, entry: string, leg: string, book: string, amount: number, account: string | null = null): Posting {
  return { region, entry, leg, book, account, amount };
}

function told(account: string, kind: string, subject: string): Books['told'] {
  return REGIONS.map((region) => ({ region, account, kind, subject }));
}

function decided(id: string, outcome: string, payer: string, payee: string, payeeHome = 'west'): Books['decisions'] {
  return REGIONS.map((region) => ({ region, id, outcome, payer, payee, payeeHome, home: 'east' }));
}

/** Ada of east was paid in 100, and sent 30 to Alan of west and 10 to Grace of east; an order of 500 failed, one was cancelled. */
function sound(): { books: Books; answered: Answered } {
  return {
    books: {
      regions: REGIONS,
      postings: [
        posting('east', 'paid-in', 'source', 'deposits', -100), posting('east', 'paid-in', 'credit', 'account', 100, 'ada'),
        posting('east', 'abroad', 'debit', 'account', -30, 'ada'), posting('east', 'abroad', 'clearing', 'clearing:east>west', 30),
        posting('west', 'abroad', 'clearing', 'clearing:east>west', -30), posting('west', 'abroad', 'credit', 'account', 30, 'alan'),
        posting('east', 'at-home', 'debit', 'account', -10, 'ada'), posting('east', 'at-home', 'credit', 'account', 10, 'grace'),
      ],
      balances: [{ region: 'east', account: 'ada', amount: 60 }, { region: 'east', account: 'grace', amount: 10 }, { region: 'west', account: 'alan', amount: 30 }],
      decisions: [...decided('abroad', 'settled', 'ada', 'alan'), ...decided('at-home', 'settled', 'ada', 'grace', 'east'), ...decided('large', 'failed', 'ada', 'alan'), ...decided('regretted', 'cancelled', 'ada', 'alan')],
      told: [
        ...told('ada', 'transfer-settled', 'abroad'), ...told('alan', 'transfer-received', 'abroad'), ...told('ada', 'transfer-settled', 'at-home'), ...told('grace', 'transfer-received', 'at-home'),
        ...told('ada', 'transfer-failed', 'large'), ...told('ada', 'transfer-cancelled', 'regretted'),
      ],
      undecided: [],
    },
    answered: { taken: new Set(['abroad', 'at-home', 'large', 'regretted']), settled: new Set(['at-home']), deposits: new Map([['ada', { sure: 100, unsure: 0 }]]) },
  };
}

/** The sound books but for the postings that `change` makes of theirs. */
function withPostings(change: (postings: readonly Posting[]) => Posting[]): string[] {
  const { books, answered } = sound();
  return breachesOf({ ...books, postings: change(books.postings) }, answered);
}

function within(books: Partial<Books>, answered: Partial<Answered> = {}): string[] {
  const all = sound();
  return breachesOf({ ...all.books, ...books }, { ...all.answered, ...answered });
}

describe('the check of the books', () => {
  it('finds nothing in sound ones', () => expect(within({})).toEqual([]));

  it('catches a credit that was lost', () => {
    expect(withPostings((all) => all.filter(({ region, entry }) => region !== 'west' || entry !== 'abroad')).join()).toMatch(/clearing:east>west holds 30.*abroad is settled and has 1 debits and 0 credits/s);
  });

  it('catches a credit that was booked twice', () => {
    expect(withPostings((all) => [...all, ...all.filter(({ region, entry }) => region === 'west' && entry === 'abroad')]).join()).toMatch(/clearing:east>west holds -30.*1 debits and 2 credits/s);
  });

  it('catches an entry that does not sum to zero', () => expect(withPostings((all) => [...all, posting('east', 'odd', 'source', 'deposits', -1)]).join()).toMatch(/entry odd in east sums to -1/));

  it('catches money that came from nowhere', () => {
    expect(withPostings((all) => [...all, posting('east', 'odd', 'source', 'elsewhere', -5), posting('east', 'odd', 'credit', 'account', 5, 'ada')]).join()).toMatch(/users hold 105.*100 was deposited/s);
  });

  it('catches a debit of an order that failed', () => {
    expect(withPostings((all) => [...all, posting('east', 'large', 'debit', 'account', -500, 'ada'), posting('east', 'large', 'clearing', 'clearing:east>west', 500)]).join()).toMatch(/large is failed and has 1 debits/);
  });

  it('catches a balance that is not the sum of its postings, and one below zero', () => {
    const { books } = sound();
    expect(within({ balances: books.balances.map((one) => ({ ...one, amount: one.amount + 1 })) }).join()).toMatch(/balance of ada in east is 61, and its postings sum to 60/);
    expect(withPostings((all) => [...all, posting('east', 'odd', 'debit', 'account', -70, 'ada')]).join()).toMatch(/balance of ada in east is negative/);
  });

  it('catches an order that was taken and has no end, two, or another in another region', () => {
    const { books } = sound();
    expect(within({ undecided: ['large'] }).join()).toMatch(/large is still undecided/);
    expect(within({ decisions: books.decisions.filter(({ id, region }) => id !== 'large' || region !== 'west') }).join()).toMatch(/large has 0 ends in west/);
    expect(within({ decisions: [...books.decisions, ...decided('large', 'failed', 'ada', 'alan')] }).join()).toMatch(/large has 2 ends/);
    expect(within({ decisions: books.decisions.map((one) => (one.id === 'large' && one.region === 'west' ? { ...one, outcome: 'cancelled' } : one)) }).join()).toMatch(/large ended as failed and as cancelled/);
    expect(within({}, { settled: new Set(['large']) }).join()).toMatch(/large was said to be settled and is failed/);
  });

  it('catches a user who was told twice, or not at all', () => {
    const { books } = sound();
    expect(within({ told: [...books.told, ...told('alan', 'transfer-received', 'abroad')] }).join()).toMatch(/alan was told transfer-received of abroad 2 times in east/);
    expect(within({ told: books.told.filter(({ subject }) => subject !== 'regretted') }).join()).toMatch(/ada was told transfer-cancelled of regretted 0 times/);
  });

  it('catches a deposit that was answered and is not there, and one that came twice', () => {
    expect(within({}, { deposits: new Map([['ada', { sure: 120, unsure: 0 }]]) }).join()).toMatch(/100 was deposited to ada, where 120/);
    expect(within({}, { deposits: new Map([['ada', { sure: 50, unsure: 20 }]]) }).join()).toMatch(/100 was deposited to ada, where 50/);
  });
});
