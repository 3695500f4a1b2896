import { type Fields, type Operation, ofKind } from '../history.js';
import { type Check, type Evidence, Findings, at } from './verdict.js';

type Edit = Operation<'edit-profile'>;
type Read = Operation<'read-profile' | 'edit-profile'> & { readonly seen: Fields };

/** Everything said about one field of one profile. */
interface FieldHistory {
  readonly edits: readonly Edit[];
  readonly reads: readonly Read[];
}

function fieldHistories({ history, model }: Evidence): Map<string, FieldHistory> {
  const reads = ofKind(history.operations, 'read-profile', 'edit-profile').filter((read): read is Read => read.seen !== undefined);
  const byUser = Map.groupBy(reads, ({ user }) => user);
  const fields = Map.groupBy(model.edits, ({ user, field }) => `${user} ${field}`);
  return new Map([...fields].map(([name, edits]) => [name, { edits, reads: byUser.get(edits[0]!.user) ?? [] }]));
}

/**
 * Whether the author of `later` had seen `earlier`: the region where it was made had it or had shown it, or it is the author's own and the
 * answer was not marked stale. Such an edit wins, whatever the clocks say (design, rule 2).
 */
function hadSeen(later: Edit, earlier: Edit, reads: readonly Read[]): boolean {
  if (later === earlier || earlier.endMs >= later.startMs) return false;
  if (earlier.outcome === 'ok' && earlier.region === later.region) return true;
  if (earlier.outcome === 'ok' && earlier.device === later.device) return later.read !== 'stale';
  return earlier.value !== null && reads.some(({ kind, region, read, endMs, seen }) =>
    kind === 'read-profile' && region === later.region && read === 'local' && endMs < later.startMs && seen[earlier.field] === earlier.value);
}

/** I4: an unmarked answer to a client with its token has that client's own writes, or what beat them. */
export const readYourWrites: Check = (evidence) => {
  const findings = new Findings();
  for (const { edits, reads } of fieldHistories(evidence).values()) {
    const { field } = edits[0]!;
    for (const read of reads) {
      if (read.outcome !== 'ok' || read.read === 'stale') continue;
      const own = edits.findLast(({ device, outcome, endMs }) => device === read.device && outcome === 'ok' && endMs < read.startMs);
      if (own === undefined || (read.kind === 'edit-profile' && read.field === field)) continue;
      const shown = read.seen[field] ?? null;
      const explained = edits.some((edit) => edit.value === shown && edit.outcome !== 'refused' && edit.startMs < read.endMs && (edit === own || !hadSeen(own, edit, reads)));
      findings.look(explained ? undefined : `${read.kind} by ${read.device} in ${read.region} at ${at(read.startMs)} (${read.read}) shows ${field} = ${shown}, not its own ${own.value} written in ${own.region} at ${at(own.endMs)}`);
    }
  }
  return findings.verdict('read-your-writes', 'a client that carries its consistency token never sees an unmarked answer without its own writes');
};

/** I1 and I3 for profiles, and faults, 10 and 28: one merge everywhere, in which nothing lost to an edit that had not come later. */
export const profilesConverge: Check = (evidence) => {
  const { final } = evidence;
  const findings = new Findings();
  const shown = Map.groupBy(final.profiles, ({ user }) => user);
  for (const [user, copies] of shown) {
    const different = new Set(copies.map(({ fields, etag }) => `${etag} ${JSON.stringify(Object.entries(fields).sort())}`));
    findings.look(different.size === 1 ? undefined : `the profile of ${user} differs: ${copies.map(({ region, etag }) => `${region} ${etag}`).join(', ')}`);
  }
  for (const { edits, reads } of fieldHistories(evidence).values()) {
    const { user, field } = edits[0]!;
    const copy = shown.get(user)?.[0];
    if (copy === undefined) continue;
    const value = copy.fields[field] ?? null;
    const acknowledged = edits.filter(({ outcome }) => outcome === 'ok');
    const from = edits.filter((edit) => edit.value === value && edit.outcome !== 'refused');
    if (from.length === 0 && (value !== null || acknowledged.length > 0)) {
      findings.lookForWrite(`${field} of ${user} is ${value}, which nobody wrote; ${acknowledged.length} edits were acknowledged, the last ${acknowledged.at(-1)?.value} at ${at(acknowledged.at(-1)?.endMs ?? 0)}`);
      continue;
    }
    const beaten = from.length > 0 && from.every((edit) => acknowledged.some((later) => hadSeen(later, edit, reads)));
    const winner = acknowledged.find((later) => hadSeen(later, from[0] ?? later, reads));
    findings.lookForWrite(beaten ? `${field} of ${user} is ${value}, though ${winner?.value} was written in ${winner?.region} at ${at(winner?.endMs ?? 0)} by somebody who had seen it` : undefined);
  }
  return findings.verdict('profiles-converge', 'profiles are the same everywhere, a merge in which an edit by somebody who had seen the other wins');
};
