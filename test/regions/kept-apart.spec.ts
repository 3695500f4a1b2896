import { describe, it } from 'vitest';
import { PasswordsApart } from './apart/passwords.js';
import { ProfilesApart } from './apart/profiles.js';
import { RegistrationApart } from './apart/registration.js';
import { SignInApart } from './apart/sign-in.js';
import { cutFrom, during, fileWorld, killed, linkCut } from './situations.js';

const world = fileWorld();
const [east, west] = world.regions as [string, string];

/** Each situation, whose users sign in, and how far the clocks are off meanwhile. */
const situations = [
  { situation: linkCut(world, 'blackhole'), home: east, clocks: { [east]: 0, [west]: 10_000 } },
  { situation: linkCut(world, 'hold'), home: west, clocks: { [east]: 10_000, [west]: 0 } },
  { situation: linkCut(world, 'refuse'), home: east, clocks: { [east]: 0, [west]: 0 } },
  { situation: linkCut(world, 'syn'), home: west, clocks: { [east]: 0, [west]: 0 } },
  { situation: cutFrom(world, east), home: west, clocks: { [east]: 0, [west]: 0 }, leaks: true },
  { situation: cutFrom(world, west), home: east, clocks: { [east]: 0, [west]: 0 }, leaks: true },
  { situation: killed(world, east), home: east, clocks: { [east]: 0, [west]: 0 } },
].map((one) => ({ leaks: false, ...one, name: one.situation.name }));

// One fault serves all of them, which also shows that none of them disturbs another.
describe.each(situations)('faults 1, 2, 3, 9, 10, 11: while $name:', ({ situation, home, clocks, leaks }) => {
  const kinds = [new RegistrationApart(world, situation), new SignInApart(world, situation, home), new PasswordsApart(world, situation, !leaks), new ProfilesApart(world, situation, clocks)];
  const end = during(world, situation, async () => {
    for (const kind of kinds) await kind.prepare();
  });
  for (const kind of kinds) describe(kind.of, () => kind.during());

  describe('once it is over:', () => {
    it('heals', async () => {
      for (const kind of kinds) if ('undo' in kind) await kind.undo();
      await end();
    });
    for (const kind of kinds) if ('atHealing' in kind) describe(kind.of, () => kind.atHealing());
    it('clocks are right again, all has settled, and every replicated table is the same in both regions', async () => {
      for (const region of world.regions) await world.clock(region, 0);
      await world.mustConverge();
    });
    for (const kind of kinds) describe(kind.of, () => kind.healed());
  });
});
