export { Replication, type ReplicationOptions } from './replication.js';
export { PeerDatabase, type TlsFiles } from './peer-database.js';
export { ConninfoError, parseConninfo } from './conninfo.js';
export { PUBLISHED_TABLES } from './names.js';
export type { PublicationState } from './publication.js';
export type { PeerReplicationStatus, ReplicationState } from './status.js';
export type { SlotSeen } from './watch.js';
