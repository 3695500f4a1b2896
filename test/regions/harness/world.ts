import { randomBytes, randomInt } from 'node:crypto';
import pg from 'pg';
import { homeOf, evenTable, slotOf } from '#kernel/routing';
import { type Answer, type CallOptions, call } from './call.js';
import { type Address, OPS_TOKEN, databaseUrl, portsOf } from './deployment.js';
import { eventually } from './eventually.js';

/** A part that was killed answers when it is up again; a broker on a busy machine takes its time. */
const CONTROL_MS = 60_000;

/** The tables whose rows every region has of every region; heartbeats and positions move on while they are compared. */
const REPLICATED = [
  'password', 'profile', 'ended_session', 'signout', 'posting', 'balance', 'transfer_request', 'transfer_decision', 'transfer_credit', 'voucher', 'voucher_redemption', 'redeem_request',
  'notification', 'notification_read', 'announcement', 'announcement_act', 'incident', 'incident_account',
];

export type Cut = 'blackhole' | 'hold' | 'syn' | 'refuse';

/** A user as a test knows it. */
export interface User {
  readonly id: string;
  readonly identifier: string;
  readonly password: string;
  readonly home: string;
}

/** A running deployment as tests use it: regions as clients see them, the control of parts and link, the databases. */
export class World {
  constructor(readonly address: Address) {}

  get regions(): readonly string[] {
    return this.address.regions;
  }

  /** A call on a region's public listener. */
  api(region: string, method: string, path: string, options?: CallOptions): Promise<Answer> {
    return call(method, `http://127.0.0.1:${this.ports(region).public}${path}`, options);
  }

  /** A call on a region's ops listener, as the operator. */
  ops(region: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return call(method, `http://127.0.0.1:${this.ports(region).ops}${path}`, { token: OPS_TOKEN, ...options });
  }

  ports(region: string) {
    return portsOf(this.address.portBase, this.address.regions, region);
  }

  /** An identifier nobody has, whose home is `home`. */
  identifier(home: string, kind: 'email' | 'phone' = 'email'): string {
    const table = evenTable([...this.regions]);
    for (;;) {
      const made = kind === 'email' ? `u${randomBytes(8).toString('hex')}@example.com` : `+1202555${String(randomInt(10_000)).padStart(4, '0')}`;
      if (homeOf(table, slotOf(made)) === home) return made;
    }
  }

  /** Registers a new user of `home` through `door`. */
  async register(home: string, door: string = home, profile?: object): Promise<User> {
    const identifier = this.identifier(home);
    const password = `pass-${randomBytes(9).toString('base64url')}`;
    const answer = await this.api(door, 'POST', '/v1/accounts', { body: { identifier, password, profile } });
    if (answer.status !== 201) throw new Error(`registration answered ${answer.status}: ${answer.text}`);
    return { id: answer.body.id, identifier, password, home };
  }

  /** Signs in; throws unless it worked. @returns the session's token */
  async signIn(region: string, user: Pick<User, 'identifier' | 'password'>): Promise<string> {
    const answer = await this.trySignIn(region, user);
    if (answer.status !== 201) throw new Error(`sign-in answered ${answer.status}: ${answer.text}`);
    return answer.body.token;
  }

  trySignIn(region: string, { identifier, password }: Pick<User, 'identifier' | 'password'>, options: CallOptions = {}): Promise<Answer> {
    return this.api(region, 'POST', '/v1/sessions', { body: { identifier, password }, ...options });
  }

  check(region: string, token: string, options: CallOptions = {}): Promise<Answer> {
    return this.api(region, 'GET', '/v1/sessions/current', { token, ...options });
  }

  // The control of the local runtime.

  async control(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await call(method, `http://127.0.0.1:${this.address.portBase}${path}`, { body, deadlineMs: CONTROL_MS });
    if (answer.status !== 200) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer;
  }

  async cut(mode: Cut = 'blackhole', options: { between?: [string, string]; direction?: string } = {}): Promise<void> {
    const [a, b] = options.between ?? [this.regions[0]!, this.regions[1]!];
    await this.control('PUT', `/links/${a}/${b}`, { state: 'cut', mode, ...(options.direction ? { direction: options.direction } : {}) });
  }

  async heal(between?: [string, string]): Promise<void> {
    const [a, b] = between ?? [this.regions[0]!, this.regions[1]!];
    await this.control('PUT', `/links/${a}/${b}`, { state: 'up' });
  }

  async part(region: string, part: string, body: object): Promise<void> {
    await this.control('PUT', `/regions/${region}/parts/${part}`, body);
  }

  /** Brings back every part that a test left down, as one does that failed half-way. */
  async bringUp(): Promise<void> {
    const { body } = await this.control('GET', '/');
    for (const [region, { parts }] of Object.entries<{ parts: Record<string, string> }>(body.regions)) {
      for (const [part, state] of Object.entries(parts)) if (state !== 'up') await this.part(region, part, { state: 'up' });
    }
  }

  async clock(region: string, offsetMs: number): Promise<void> {
    await this.control('PUT', `/regions/${region}/clock`, { offsetMs });
  }

  /** Until every region takes its peers for unreachable: from then on refusals are immediate. */
  async untilCutSeen(regions: readonly string[] = this.regions, peer?: string): Promise<void> {
    await eventually(async () => {
      for (const region of regions) {
        const { body } = await this.ops(region, 'GET', '/ops/status');
        for (const [name, seen] of Object.entries<any>(body.peers)) {
          if ((peer === undefined || name === peer) && (seen.calls.reads !== 'refused' || seen.calls.writes !== 'refused')) throw new Error(`${region} still calls ${name}`);
        }
      }
    });
  }

  /** Until every link works and everything that was acknowledged anywhere is everywhere. */
  async settleAll(withinMs = 60_000): Promise<void> {
    await eventually(() => this.mustBeSettled(), withinMs);
  }

  private async mustBeSettled(): Promise<void> {
    const all = new Map<string, any>();
    for (const region of this.regions) all.set(region, (await this.ops(region, 'GET', '/ops/status')).body);
    for (const [region, status] of all) {
      if (status.outbox.depth !== 0) throw new Error(`${region} has ${status.outbox.depth} unconfirmed events`);
      if (status.redis_pending.rows !== 0) throw new Error(`${region} has ${status.redis_pending.rows} endings pending`);
      for (const [peer, seen] of Object.entries<any>(status.peers)) {
        if (seen.link !== 'up' || seen.calls.reads !== 'open' || seen.calls.writes !== 'open') throw new Error(`${region} does not reach ${peer}`);
        if (seen.replication?.state !== 'streaming') throw new Error(`${region}: rows of ${peer} are ${seen.replication?.state} ${seen.replication?.cause ?? ''}`);
        for (const channel of ['accounts', 'database']) {
          const age = seen.heartbeatAgeMs[channel];
          if (age === null || age > 1_000) throw new Error(`${region}: ${channel} of ${peer} is ${age} ms old`);
        }
        const heads = all.get(peer).streams.heads;
        for (const [stream, numbers] of Object.entries<number[]>(heads)) {
          numbers.forEach((head, partition) => {
            if (seen.applied[stream][partition] < head) throw new Error(`${region}: ${stream}/${partition} of ${peer} is behind`);
          });
        }
      }
    }
    await this.untilRowsArrived();
  }

  /** A row written now in each region must be everywhere: what was written before it by then is, too. */
  private async untilRowsArrived(): Promise<void> {
    for (const writer of this.regions) {
      const [row] = await this.sql<{ beat: string; boot: string }>(writer, `SELECT body->>'beat' AS beat, body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [writer]);
      for (const reader of this.regions) {
        if (reader === writer) continue;
        await eventually(async () => {
          const [seen] = await this.sql<{ beat: string; boot: string }>(reader, `SELECT body->>'beat' AS beat, body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [writer]);
          if (seen?.boot !== row!.boot || Number(seen.beat) < Number(row!.beat)) throw new Error(`${reader} lacks rows of ${writer}`);
        }, 5_000);
      }
    }
  }

  /** A statement on a region's own database, as its superuser. */
  async sql<R extends object>(region: string, text: string, values: unknown[] = []): Promise<R[]> {
    const client = new pg.Client({ connectionString: databaseUrl(this.address, region), connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text, values)).rows as R[];
    } finally {
      await client.end();
    }
  }

  /** Fails unless a table's rows are the same in all regions. `columns` name what identifies and what must be equal. */
  async mustBeEqual(table: string, columns = '*'): Promise<void> {
    const digests = await Promise.all(this.regions.map(async (region) => {
      const [row] = await this.sql<{ digest: string; rows: string }>(region, `SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS digest, count(*) AS rows FROM (SELECT ${columns} FROM ${table}) t`);
      return { region, ...row! };
    }));
    if (new Set(digests.map(({ digest }) => digest)).size !== 1) throw new Error(`${table} differs: ${JSON.stringify(digests)}`);
  }

  /** After a fault: settled, and every replicated table the same everywhere. */
  async mustConverge(withinMs?: number): Promise<void> {
    await this.settleAll(withinMs);
    await eventually(async () => {
      await this.mustBeEqual('account');
      await this.mustBeEqual('credential_epoch');
      for (const table of REPLICATED) await this.mustBeEqual(table);
    }, 20_000);
  }
}
