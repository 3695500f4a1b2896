export { Replication } from './replication.js';
export { mergeRows } from './copy.js';
export { type Column, type Schema, readSchema } from './inspect.js';
export { PUBLISHED_TABLES, identifier, literal } from './names.js';
export { PLAIN_TEXTS } from './rebuild.js';
export { keyColumns } from './schema-difference.js';
