import type { Answer } from '../../regions/harness/call.js';
import { eventually } from '../../regions/harness/eventually.js';
import type { World } from '../../regions/harness/world.js';
import type { Final } from './final.js';
import { digestOf } from './history.js';
import { inTurns } from './in-turns.js';
import { isMoneyOnItsWay, readMoney } from './final-money.js';
import { flatFields } from './recorder.js';
import type { Traffic } from './traffic/traffic.js';
import type { SyntheticUser } from './traffic/user.js';

/** What every region says of itself and changes all the time. */
const OWN_STATE = new Set(['heartbeat', 'stream_applied']);
/** Accounts and epochs cross by Kafka, everything else that is published by logical replication. */
const BY_EVENTS = ['account', 'credential_epoch'];
const EQUAL_MS = 60_000;
/** Of the users who registered during the drill so many sign in at the end, besides those who were there from the start. */
const SAMPLE = 6;
/** Passwords that have ended: the last of each user, since each wrong one is an attempt. */
const OLD_TRIED = 1;

/** What was there before the drill began. */
export interface Before {
  readonly aside: Record<string, { deadLetters: number; conflicts: number }>;
  readonly boots: Record<string, string>;
}

/** Reads, when all has healed, whatever the checks need: with the users' own secrets, as the operator, and by SQL. */
export class FinalReads {
  /** Sessions made by trying passwords, by user and region. */
  private readonly tokens = new Map<string, string>();

  constructor(
    private readonly world: World,
    private readonly traffic: Traffic,
  ) {}

  static async before(world: World): Promise<Before> {
    const [aside, boots]: [Before['aside'], Before['boots']] = [{}, {}];
    for (const region of world.regions) {
      aside[region] = await asideIn(world, region);
      boots[region] = await bootOf(world, region);
    }
    return { aside, boots };
  }

  async read(before: Before): Promise<Final> {
    const { world, traffic } = this;
    const beganMs = performance.now();
    const { tables, equal } = await this.untilEqual();
    const equalMs = performance.now() - beganMs;
    const latecomers = traffic.registrar.registered.filter((user) => !traffic.users.includes(user)).slice(-SAMPLE);
    const passwords = await this.passwords([...traffic.users, ...latecomers]);
    const sessions = await this.sessions();
    const profiles = await this.profiles();
    const money = await readMoney(world, traffic, this.tokens);
    const after = await FinalReads.before(world);
    const grown = (region: string, what: 'deadLetters' | 'conflicts'): number => after.aside[region]![what] - before.aside[region]![what];
    return {
      accounts: await this.accounts(), passwords, sessions, profiles, tables,
      aside: perRegion(world, (region) => ({ deadLetters: grown(region, 'deadLetters'), conflicts: grown(region, 'conflicts') })),
      boots: perRegion(world, (region) => ({ before: before.boots[region]!, after: after.boots[region]! })),
      money, ...(equal ? { equalMs } : {}),
    };
  }

  private async untilEqual(): Promise<{ tables: Final['tables']; equal: boolean }> {
    let tables: Final['tables'] = {};
    const equal = await eventually(async () => {
      tables = await this.tables();
      const different = Object.keys(tables).filter((table) => new Set(Object.values(tables[table]!).map(({ digest }) => digest)).size > 1);
      if (different.length > 0) throw new Error(`${different.join(', ')} differ`);
      for (const region of this.world.regions) if (await isMoneyOnItsWay(this.world, region)) throw new Error(`money is on its way in ${region}`);
      return true;
    }, EQUAL_MS).catch(() => false);
    return { tables, equal };
  }

  private async tables(): Promise<Final['tables']> {
    const { world } = this;
    const published = await world.sql<{ name: string }>(world.regions[0]!, 'SELECT DISTINCT tablename AS name FROM pg_publication_tables ORDER BY 1');
    const names = [...BY_EVENTS, ...published.map(({ name }) => name).filter((name) => !OWN_STATE.has(name))];
    const text = names.map((name) => `SELECT '${name}' AS name, md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS digest, count(*)::int AS rows FROM ${name} t`).join(' UNION ALL ');
    const tables: Record<string, Record<string, { digest: string; rows: number }>> = {};
    for (const region of world.regions) {
      for (const { name, digest, rows } of await world.sql<{ name: string; digest: string; rows: number }>(region, text)) (tables[name] ??= {})[region] = { digest, rows };
    }
    return tables;
  }

  private async accounts(): Promise<Final['accounts']> {
    const { world, traffic: { registrar } } = this;
    const accounts: Record<string, Record<string, string[]>> = {};
    for (const region of world.regions) {
      const known: Record<string, string[]> = (accounts[region] = {});
      const rows = await world.sql<{ id: string; identifier: string }>(region, 'SELECT id, identifier FROM account WHERE identifier = ANY ($1)', [registrar.asked]);
      for (const { id, identifier } of rows) (known[digestOf(identifier)] ??= []).push(id);
    }
    return accounts;
  }

  private async passwords(users: readonly SyntheticUser[]): Promise<Final['passwords'][number][]> {
    const tries = users.flatMap((user) => {
      const mayBe = [user.password, ...(user.change === undefined ? [] : [user.change.next])];
      const ended = [...user.retired.slice(-OLD_TRIED), ...user.neverTaken.slice(-1)];
      return this.world.regions.flatMap((region) => [...mayBe, ...ended].map((password) => ({ user, region, password })));
    });
    return inTurns(tries, async ({ user, region, password }) => {
      const answer = await this.world.trySignIn(region, { identifier: user.identifier, password });
      if (answer.status === 201) this.tokens.set(`${user.digest} ${region}`, answer.body.token);
      return { user: user.digest, region, password: digestOf(password), answer: slugOf(answer) };
    });
  }

  /** Every session that was ever made, in every region. */
  private async sessions(): Promise<Final['sessions'][number][]> {
    const held = this.traffic.registrar.registered.flatMap(({ sessions }) => sessions);
    const tries = held.flatMap((session) => this.world.regions.map((region) => ({ session, region })));
    return inTurns(tries, async ({ session, region }) => ({ session: session.digest, region, answer: slugOf(await this.world.check(region, session.token)) }));
  }

  private async profiles(): Promise<Final['profiles'][number][]> {
    const reads = this.traffic.users.flatMap((user) => this.world.regions.map((region) => ({ user, region })));
    const profiles = await inTurns(reads, async ({ user, region }) => {
      const answer = await this.world.api(region, 'GET', '/v1/profile', { token: this.tokens.get(`${user.digest} ${region}`) ?? '' });
      return answer.status === 200 ? [{ user: user.digest, region, fields: flatFields(answer.body.fields), etag: String(answer.headers['etag']) }] : [];
    });
    return profiles.flat();
  }
}

async function asideIn(world: World, region: string): Promise<{ deadLetters: number; conflicts: number }> {
  const { body } = await world.ops(region, 'GET', '/ops/status');
  return { deadLetters: body.deadLetters, conflicts: body.conflicts };
}

async function bootOf(world: World, region: string): Promise<string> {
  const [row] = await world.sql<{ boot: string }>(region, `SELECT body->>'boot' AS boot FROM heartbeat WHERE region = $1`, [region]);
  return row?.boot ?? '';
}

/** `ok`, or the slug of the refusal. */
function slugOf(answer: Answer): string {
  return answer.status < 300 ? 'ok' : String(answer.body?.type ?? answer.status).replace('urn:homeward:problem:', '');
}

function perRegion<T>(world: World, of: (region: string) => T): Record<string, T> {
  return Object.fromEntries(world.regions.map((region) => [region, of(region)]));
}
