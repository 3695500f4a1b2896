export { type ConsistencyKind, ConsistencyTokens, type ConsistencyVersions } from './consistency-tokens.js';
export { type MacKey, MacKeyring } from './mac-keyring.js';
export { SessionIds, type SessionToken } from './session-ids.js';
export { bytesToUuid, hashedId, isUuid, newId, uuidToBytes } from './uuid.js';
export { FIRST_INCARNATION, incarnationIn, numbersBelow, serverNameOf } from './incarnation.js';
