import { LINK_SOURCE_ADDRESS } from '../ports.js';

/**
 * What a region's PostgreSQL is told: who may enter, and the settings under which replication survives cuts
 * (`recovery.md`, "PostgreSQL, both sides"; `parts.md`, "Traps").
 */
export function postgresConfiguration(region: string, regionCount: number, port: number, tlsDirectory: string): string {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    cluster_name: region,
    max_connections: '120',
    shared_buffers: '64MB',
    dynamic_shared_memory_type: process.platform === 'linux' ? 'posix' : 'mmap',
    max_wal_size: '512MB',
    min_wal_size: '80MB',
    timezone: 'UTC',
    log_timezone: 'UTC',

    ssl: 'on',
    ssl_ca_file: `${tlsDirectory}/ca.crt`,
    ssl_cert_file: `${tlsDirectory}/region.crt`,
    ssl_key_file: `${tlsDirectory}/region.key`,
    ssl_min_protocol_version: 'TLSv1.2',
    password_encryption: 'scram-sha-256',

    wal_level: 'logical',
    // Per peer: one subscription's slot, its initial copies, and a rebuild beside them.
    max_replication_slots: String(Math.max(20, 5 * regionCount)),
    max_wal_senders: String(Math.max(20, 5 * regionCount)),
    max_active_replication_origins: String(Math.max(20, 5 * regionCount)),
    max_logical_replication_workers: String(Math.max(16, 3 * regionCount)),
    max_sync_workers_per_subscription: '2',
    max_worker_processes: String(Math.max(24, 3 * regionCount + 8)),
    wal_sender_timeout: '3s',
    wal_receiver_timeout: '3s',
    wal_receiver_status_interval: '1s',
    wal_retrieve_retry_interval: '500ms',
    // What is larger is sent while it goes on, and lies whole at the peer before it is applied there (docs/decisions/0019).
    logical_decoding_work_mem: '8MB',
    // A peer that stays away may cost so much disk, then its slot is lost and rebuilt by the service.
    max_slot_wal_keep_size: '256MB',
    idle_replication_slot_timeout: '0',

    // Six files a day's worth of ten minutes each, written over: bounded, and the newest is always whole.
    logging_collector: 'on',
    log_destination: 'jsonlog',
    log_directory: 'log',
    log_filename: 'postgresql-%M.log',
    log_rotation_age: '10min',
    log_rotation_size: '0',
    log_truncate_on_rotation: 'on',
    log_file_mode: '0600',
    log_checkpoints: 'off',
  };
  return `${Object.entries(settings).map(([name, value]) => `${name} = '${value}'`).join('\n')}\n`;
}

/**
 * Who may enter: the region's own service with its password, not through TLS, so not across the link; each peer's role
 * with that peer's certificate only. Everybody else is refused before a password is asked for.
 */
export function hostRules(peers: readonly string[]): string {
  return [
    'hostnossl all homeward 127.0.0.1/32 scram-sha-256',
    ...peers.map((peer) => `hostssl homeward "peer_${peer}" ${LINK_SOURCE_ADDRESS}/32 cert map=peers`),
    '',
  ].join('\n');
}

/** Certificate name to role. */
export function peerMap(peers: readonly string[]): string {
  return peers.map((peer) => `peers "${peer}" "peer_${peer}"\n`).join('');
}

/** For single-user mode, one statement a line. The service grants the peers what they may read. */
export function setupStatements(peers: readonly string[]): string {
  return [
    'CREATE DATABASE homeward OWNER homeward;',
    'REVOKE ALL ON DATABASE homeward FROM PUBLIC;',
    ...peers.flatMap((peer) => [
      `CREATE ROLE "peer_${peer}" LOGIN REPLICATION;`,
      `GRANT CONNECT ON DATABASE homeward TO "peer_${peer}";`,
    ]),
    '',
  ].join('\n');
}
