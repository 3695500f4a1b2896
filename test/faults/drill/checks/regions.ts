import { faultyParts } from '../timeline.js';
import { type Check, Findings, at } from './verdict.js';

/** I3, at the end. */
export const regionsEqual: Check = ({ final }) => {
  const findings = new Findings();
  for (const [table, regions] of Object.entries(final.tables)) {
    const different = new Set(Object.values(regions).map(({ digest }) => digest)).size > 1;
    findings.look(different ? `${table} differs: ${Object.entries(regions).map(([region, { rows, digest }]) => `${region} has ${rows} rows (${digest.slice(0, 8)})`).join(', ')}` : undefined);
  }
  findings.look(final.equalMs === undefined ? 'the regions did not become equal' : undefined);
  return findings.verdict('regions-equal', 'every replicated table has the same rows in all regions');
};

/** I3, in time: traffic goes on meanwhile, so what was written before the healing is looked for. */
export const caughtUp: Check = ({ history, promises }) => {
  const findings = new Findings();
  for (const { caughtUpMs, endMs } of history.faults) {
    if (caughtUpMs === undefined) continue;
    findings.look(caughtUpMs > promises.caughtUpWithinS * 1_000 ? `after the healing at ${at(endMs)} the regions had each other's writes only ${at(caughtUpMs)} later` : undefined);
  }
  return findings.verdict('caught-up', 'after a healing every region soon has what the others wrote before it');
};

/** Rule 4: nothing is dropped, and nothing of ours had to be kept aside. */
export const nothingAside: Check = ({ final }) => {
  const findings = new Findings();
  for (const [region, { deadLetters, conflicts }] of Object.entries(final.aside)) {
    findings.look(deadLetters > 0 ? `${region} has ${deadLetters} dead letters more than before` : undefined);
    findings.look(conflicts > 0 ? `${region} has ${conflicts} conflicts more than before` : undefined);
  }
  return findings.verdict('nothing-aside', 'no event was kept aside and no conflict was found');
};

/** I8: nobody restarted anything, the service itself neither. */
export const noRestarts: Check = ({ final, history }) => {
  const findings = new Findings();
  for (const [region, { before, after }] of Object.entries(final.boots)) {
    const killed = history.faults.some((fault) => fault.fault.fault === 'kill' && faultyParts(fault).includes(`${region}/api`));
    if (!killed) findings.look(before === after ? undefined : `the service of ${region} is another process than before, and no fault killed it`);
  }
  return findings.verdict('no-restarts', 'nobody has to do anything: no service was started again but those that were killed');
};
