import type { Database } from '#adapters/postgres';
import { type Clock, nextStamp } from '#kernel/clock';
import type { ConsistencyVersions } from '#kernel/ids';
import { OverloadedError, PreconditionFailedError } from '#kernel/problems';
import { slotOf } from '#kernel/routing';
import type { ReadYourWrites, RowsRead } from '../consistency/index.js';
import { type ProfileFields, etagOf, highestStamp, mergeProfiles } from './merge.js';
import { type ProfilePatch, applyPatch } from './patch.js';
import { type ProfileReader, type ProfileView, profileView } from './read-profile.js';

const WRITE = {
  name: 'write-profile',
  text: `INSERT INTO profile AS own (region, slot, account, fields, version) VALUES ($1, $2, $3, $4, next_version(0))
         ON CONFLICT (region, account) DO UPDATE SET fields = excluded.fields, version = next_version(own.version) WHERE own.version = $5
         RETURNING version`,
};

/** Edits of one profile in one region that meet start over, at most so often. */
const ROUNDS = 20;

/** A profile after an edit. */
export interface ProfileEdited {
  readonly view: ProfileView;
  readonly etag: string;
  readonly version: number;
  /** How what was edited had been read: `stale` where the editor's own writes elsewhere could not be asked for. */
  readonly read: RowsRead;
}

/**
 * An edit in this region, in every state of the link: only this region's row is written, stamped after everything of
 * the account that was seen here (design, rule 2).
 */
export class EditProfile {
  constructor(
    private readonly own: string,
    private readonly database: Database,
    private readonly reader: ProfileReader,
    private readonly readYourWrites: ReadYourWrites,
    private readonly clock: Clock,
  ) {}

  /**
   * @param ifMatch ETags of which one must be the present one; `*` asks for nothing; undefined where not given
   * @throws PreconditionFailedError, InvalidRequestError, OverloadedError, DatabaseFullError
   */
  async edit(account: { id: string; identifier: string }, patch: ProfilePatch, ifMatch: readonly string[] | undefined, token: ConsistencyVersions | undefined): Promise<ProfileEdited> {
    this.database.reserve.mustHaveRoom();
    for (let round = 0; round < ROUNDS; round += 1) {
      // An editor who has seen its own write elsewhere must beat it here, so its row is fetched where it has not arrived.
      const { rows, read } = await this.readYourWrites.rows('profile', token, account.id, () => this.reader.rows(account.id), '/peer/v1/rows/profile', { account: account.id });
      const before = mergeProfiles(rows);
      if (ifMatch !== undefined && !ifMatch.includes('*') && !ifMatch.includes(etagOf(before))) throw new PreconditionFailedError();
      const own = rows.find(({ region }) => region === this.own);
      const fields = applyPatch(own?.fields ?? {}, before, patch, nextStamp(this.clock.wallMs(), highestStamp(before)));
      const version = await this.write(account, fields, own?.version ?? 0);
      if (version !== undefined) {
        const after = mergeProfiles([...rows.filter(({ region }) => region !== this.own), { region: this.own, fields }]);
        return { view: profileView(account.id, after), etag: etagOf(after), version, read };
      }
    }
    throw new OverloadedError('This profile is being edited too often at once');
  }

  /** @returns the row's new version; undefined where another edit came first */
  private async write(account: { id: string; identifier: string }, fields: ProfileFields, version: number): Promise<number | undefined> {
    const [row] = await this.database.write<{ version: string }>(WRITE, [this.own, slotOf(account.identifier), account.id, JSON.stringify(fields), version]);
    return row === undefined ? undefined : Number(row.version);
  }
}
