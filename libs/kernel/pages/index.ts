export { type Cursor, NEWEST, decodeCursor, encodeCursor } from './cursor.js';
