export { type Cursor, NEWEST, type Page, decodeCursor, pageOf } from './cursor.js';
