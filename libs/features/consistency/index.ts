export { Arrivals } from './arrivals.js';
export { OwnRows } from './own-row.js';
export { ReadYourWrites, type RowsRead, type VersionedRow, worstOf } from './read-your-writes.js';
export { FreshSession, type FreshlyChecked } from './fresh-session.js';
