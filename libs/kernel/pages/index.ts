export { type Cursor, NEWEST, type Page, decodeCursor, nextOf } from './cursor.js';
