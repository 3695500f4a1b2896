import { expect, it } from 'vitest';
import { type Answer, type User, type World, eventually } from '../harness/index.js';
import { type Apart, type Situation, otherThan, untilKnownEverywhere } from '../situations.js';

interface Editor {
  readonly user: User;
  /** A session of each region, by its name. */
  readonly tokens: Record<string, string>;
}

const FIRST = { displayName: 'at first', bio: 'at first', attributes: { team: 'engines', desk: '7' } };
const AVATAR = 'https://example.com/w.png';

/** Profiles while regions are apart: written in each, merged afterwards. */
export class ProfilesApart implements Apart {
  readonly of = 'a profile';
  /** Edited in fields that don't meet, and in one that does. */
  private apart!: Editor;
  private both!: Editor;

  constructor(
    private readonly world: World,
    private readonly situation: Situation,
    /** What the regions' clocks are off by meanwhile. */
    private readonly clocks: Record<string, number>,
  ) {}

  async prepare(): Promise<void> {
    [this.apart, this.both] = await Promise.all([this.editor(), this.editor()]);
    for (const [region, offsetMs] of Object.entries(this.clocks)) await this.world.clock(region, offsetMs);
  }

  during(): void {
    const { world, situation } = this;

    it('is read and written in every region', async () => {
      for (const region of situation.alive) {
        const edited = await this.edit(region, this.apart, region === world.regions[0] ? { displayName: 'by first', attributes: { desk: null } } : { bio: 'by second', attributes: { floor: '2' } });
        expect((await this.read(region, this.apart)).body).toEqual(edited.body);
        await this.edit(region, this.both, { displayName: `by ${region}`, ...(region === world.regions[0] ? { locale: 'de' } : { avatarUrl: AVATAR }) });
      }
    });

    if (situation.alive.length === 2) it('is marked stale for a client that wrote in the region that can not be asked, and for nobody else', async () => {
      for (const reader of situation.alive) {
        const writer = otherThan(world, reader);
        const edited = await this.edit(writer, this.apart, writer === world.regions[0] ? { locale: 'fr' } : { avatarUrl: AVATAR });
        const consistency = edited.headers['homeward-consistency'] as string;
        const seen = await this.read(reader, this.apart, consistency);
        expect(['stale', ...(this.mayArrive(writer) ? ['local'] : [])]).toContain(seen.headers['homeward-read']);
        expect((await this.read(reader, this.apart)).headers['homeward-read']).toBe('local');
        expect(await this.read(writer, this.apart, consistency)).toMatchObject({ headers: { 'homeward-read': 'local', etag: edited.headers['etag'] } });
      }
    });

    if (situation.alive.length === 2) it('is marked stale too in the answer to an edit by such a client', async () => {
      for (const region of situation.alive) {
        const writer = otherThan(world, region);
        const own = (name: string): object => (name === world.regions[0] ? { displayName: 'by first' } : { bio: 'by second' });
        const consistency = (await this.edit(writer, this.apart, own(writer))).headers['homeward-consistency'] as string;
        const edited = await this.edit(region, this.apart, own(region), consistency);
        expect(['stale', ...(this.mayArrive(writer) ? ['local'] : [])]).toContain(edited.headers['homeward-read']);
      }
    });
  }

  healed(): void {
    const { world, situation } = this;
    const [first, second] = world.regions as [string, string];

    it('is merged field by field, and a field that both wrote is the same everywhere, decided by stamp', async () => {
      const wrote = (region: string, fields: object): object => (situation.alive.includes(region) ? fields : {});
      const twice = situation.alive.length === 2 ? { locale: 'fr', avatarUrl: AVATAR } : {};
      const attributes = { team: 'engines', ...(situation.alive.includes(first) ? {} : { desk: '7' }), ...wrote(second, { floor: '2' }) };
      expect(await this.agreed(this.apart)).toEqual({ ...FIRST, ...wrote(first, { displayName: 'by first' }), ...wrote(second, { bio: 'by second' }), ...twice, attributes });
      const later = situation.alive.length === 2 && this.clocks[first]! > this.clocks[second]! ? first : second;
      expect(await this.agreed(this.both)).toEqual({ ...FIRST, displayName: `by ${later}`, ...wrote(first, { locale: 'de' }), ...wrote(second, { avatarUrl: AVATAR }) });
    });
  }

  /** In a cut of one direction the other one brings rows until its sender misses the answers. */
  private mayArrive(writer: string): boolean {
    return this.situation.name.includes('-to-') && !this.situation.name.includes(`${writer}-to-`);
  }

  private async editor(): Promise<Editor> {
    const [first, second] = this.world.regions as [string, string];
    const user = await this.world.register(first, first, FIRST);
    await untilKnownEverywhere(this.world, user.id);
    const who = { user, tokens: { [first]: await this.world.signIn(first, user), [second]: await this.world.signIn(second, user) } };
    await this.agreed(who);
    return who;
  }

  private read(region: string, { tokens }: Editor, consistency?: string): Promise<Answer> {
    return this.world.api(region, 'GET', '/v1/profile', { token: tokens[region]!, consistency });
  }

  private async edit(region: string, { tokens }: Editor, patch: object, consistency?: string): Promise<Answer> {
    const answer = await this.world.api(region, 'PATCH', '/v1/profile', { token: tokens[region]!, body: patch, consistency });
    expect(answer.status, answer.text).toBe(200);
    return answer;
  }

  /** Until every region shows the same content and ETag; @returns its fields */
  private async agreed(who: Editor): Promise<object> {
    return eventually(async () => {
      const [one, ...others] = await Promise.all(this.world.regions.map((region) => this.read(region, who)));
      for (const other of others) expect({ body: other.body, etag: other.headers['etag'] }).toEqual({ body: one!.body, etag: one!.headers['etag'] });
      return one!.body.fields;
    });
  }
}
