export { Arrivals } from './arrivals.js';
export { OwnRows, type ProfileRowAnswer, type SignoutRowAnswer } from './own-row.js';
export { ReadYourWrites, type RowsRead, type VersionedRow, worstOf } from './read-your-writes.js';
export { FreshSession, type FreshlyChecked } from './fresh-session.js';
