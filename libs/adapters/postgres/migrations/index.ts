import { Initial1795000000000 } from './1795000000000-initial.js';
import { Money1796000000000 } from './1796000000000-money.js';
import { Audit1797000000000 } from './1797000000000-audit.js';
import { Cheaper1798000000000 } from './1798000000000-cheaper.js';
import { IncidentClocks1798500000000 } from './1798500000000-incident-clocks.js';
import { Incarnations1799000000000 } from './1799000000000-incarnations.js';
import { OutboxBatches1799500000000 } from './1799500000000-outbox-batches.js';

/** In order of their time stamps. A migration that has been released is never changed. */
export const migrations = [
  Initial1795000000000, Money1796000000000, Audit1797000000000, Cheaper1798000000000, IncidentClocks1798500000000, Incarnations1799000000000,
  OutboxBatches1799500000000,
];

/** The time stamp of the newest migration, told in heartbeats. */
export const schemaVersion = Math.max(...migrations.map(({ name }) => Number(/\d+$/.exec(name)![0])));
