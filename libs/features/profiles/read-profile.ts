import type { Database } from '#adapters/postgres';
import type { ConsistencyVersions } from '#kernel/ids';
import type { ReadYourWrites, RowsRead, VersionedRow } from '../consistency/index.js';
import { type MergedProfile, type ProfileContent, type ProfileFields, etagOf, mergeProfiles, toFields, updatedAtOf } from './merge.js';

/** One writer's row of a profile. */
export interface ProfileRow extends VersionedRow {
  readonly fields: ProfileFields;
}

/** A profile as a client is told it. */
export interface ProfileView {
  readonly accountId: string;
  readonly fields: ProfileContent;
  readonly updatedAt: string;
}

const ROWS = { name: 'profile-rows', text: 'SELECT region, version, fields FROM profile WHERE region = ANY($1) AND account = $2' };

/** Reads profiles: the merge of every writer's row. */
export class ProfileReader {
  constructor(
    private readonly database: Database,
    private readonly regions: readonly string[],
    private readonly readYourWrites: ReadYourWrites,
  ) {}

  async rows(account: string): Promise<ProfileRow[]> {
    const rows = await this.database.query<{ region: string; version: string; fields: ProfileFields }>(ROWS, [this.regions, account]);
    return rows.map(({ region, version, fields }) => ({ region, version: Number(version), fields }));
  }

  /** @param token the client's consistency token, if it sent one */
  async read(account: string, token: ConsistencyVersions | undefined): Promise<{ view: ProfileView; etag: string; read: RowsRead }> {
    const { rows, read } = await this.readYourWrites.rows('profile', token, account, () => this.rows(account), '/peer/v1/rows/profile', { account });
    const merged = mergeProfiles(rows);
    return { view: profileView(account, merged), etag: etagOf(merged), read };
  }
}

/** A profile nobody has written to was last changed when its account was made, which the id (UUIDv7) tells. */
export function profileView(account: string, merged: MergedProfile): ProfileView {
  const updatedAt = updatedAtOf(merged) ?? new Date(Number.parseInt(account.slice(0, 8) + account.slice(9, 13), 16)).toISOString();
  return { accountId: account, fields: toFields(merged), updatedAt };
}
