import { describe, expect, it } from 'vitest';
import { reserveOf } from '#adapters/postgres';
import { diskStatus } from '../../../libs/adapters/postgres/disk-reserve.js';
import { asRefusal, DatabaseFullError, endsConnection, type StatementError } from '../../../libs/adapters/postgres/errors.js';
import { postgresConfiguration } from '../../../apps/local/parts/postgres-files.js';

const MIB = 1_024 * 1_024;
const GIB = 1_024 * MIB;

function said(code: string, severity: string): StatementError {
  return Object.assign(new Error('no space left on device'), { code, severity });
}

describe('the reserve of the disk', () => {
  it('is a tenth of it, 512 MiB at least, or what was asked for', () => {
    expect(reserveOf(100 * GIB)).toBe(10 * GIB);
    expect(reserveOf(2 * GIB)).toBe(512 * MIB);
    expect(reserveOf(2 * GIB, 7)).toBe(7);
  });

  it('is more than slots may keep in the local runtime, on the smallest disk too', () => {
    const [, megabytes] = /max_slot_wal_keep_size = '(\d+)MB'/.exec(postgresConfiguration('east', 2, 1, '/tls'))!;
    expect(Number(megabytes) * MIB).toBeLessThan(reserveOf(0));
  });

  it('is touched below it, and not at it', () => {
    expect(diskStatus({ capacityBytes: GIB, freeBytes: 512 * MIB })).toMatchObject({ reserveBytes: 512 * MIB, refusing: false });
    expect(diskStatus({ capacityBytes: GIB, freeBytes: 512 * MIB - 1 })).toMatchObject({ refusing: true });
  });
});

describe('a full disk', () => {
  it('that fails one statement is a refusal that says disk: nothing was done', () => {
    expect(endsConnection(said('53100', 'ERROR'))).toBe(false);
    expect(asRefusal(said('53100', 'ERROR'))).toBeInstanceOf(DatabaseFullError);
  });

  it('that makes the server panic leaves a write unknown: its commit may be on disk in the WAL file before', () => {
    expect(endsConnection(said('53100', 'PANIC'))).toBe(true);
  });
});
