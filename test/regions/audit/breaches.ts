import type { User } from '../harness/index.js';

/** One breach of each invariant in a region's own rows, by name: how it is made and unmade by SQL, behind the service's back. */
export function breaches(region: string, peer: string, user: User): Record<string, { readonly make: string; readonly unmake: string; readonly evidence: string }> {
  const id = '00000000-0000-7000-8000-0000b4eac4e5';
  const posting = (leg: string, book: string, amount: number): string =>
    `INSERT INTO posting (region, slot, entry, leg, book, amount, created_at) VALUES ('${region}', 0, '${id}', '${leg}', '${book}', ${amount}, now())`;
  const noPosting = `DELETE FROM posting WHERE entry = '${id}'`;
  return {
    'one-account-per-identifier': { make: `INSERT INTO conflict (id, kind, account, writer, body, detail) VALUES ('${id}', 'account', '${id}', '${peer}', '{}', 'made by a spec')`, unmake: `DELETE FROM conflict WHERE id = '${id}'`, evidence: id },
    'account-has-its-slot-and-home': { make: `UPDATE account SET home = '${peer}' WHERE id = '${user.id}'`, unmake: `UPDATE account SET home = '${region}' WHERE id = '${user.id}'`, evidence: user.id },
    'account-has-password-and-epoch': { make: `UPDATE credential_epoch SET epoch = 7 WHERE account = '${user.id}'`, unmake: `UPDATE credential_epoch SET epoch = 1 WHERE account = '${user.id}'`, evidence: user.id },
    'entries-sum-to-zero': { make: posting('source', 'deposits', -5), unmake: noPosting, evidence: id },
    'balance-is-the-sum-of-its-postings': { make: `INSERT INTO balance (region, slot, account, amount, version, changed_at) VALUES ('${region}', 0, '${id}', 5, 1, now())`, unmake: `DELETE FROM balance WHERE account = '${id}'`, evidence: id },
    'debits-stand-in-clearing': { make: posting('clearing', `clearing:${region}>${peer}`, 5), unmake: noPosting, evidence: id },
    'credits-answer-debits': { make: posting('clearing', `clearing:${peer}>${region}`, -5), unmake: noPosting, evidence: id },
    'peers-know-no-event-that-was-not-given': {
      make: `INSERT INTO stream_applied (region, writer, stream, partition, applied) VALUES ('${peer}', '${region}', 'nobody', 0, 5)`, unmake: `DELETE FROM stream_applied WHERE stream = 'nobody'`, evidence: 'nobody/0 up to 5',
    },
    'outbox-is-numbered': { make: oldOutboxRow, unmake: `DELETE FROM outbox WHERE stream = 'nobody'`, evidence: 'nobody' },
  };
}

/** An event of a stream that nobody sends, as old as one whose number is long overdue, and one whose confirmation is. */
const oldOutboxRow = `INSERT INTO outbox (stream, partition, version, key, payload, created_at) VALUES ('nobody', 0, 1, '00000000-0000-7000-8000-0000b4eac4e5', '{}', now() - interval '5 minutes')`;
export const oldOutboxBatch = `INSERT INTO outbox_batch (stream, partition, first, last, events, created_at)
  VALUES ('nobody', 0, 1, 1, '1 00000000-0000-7000-8000-0000b4eac4e5 {}', now() - interval '5 minutes')`;
