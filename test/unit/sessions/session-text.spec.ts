import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CheckedSession, partsOf, textOf } from '../../../libs/features/sessions/session-text.js';
import { TokenReader } from '../../../libs/features/sessions/token-reader.js';

const regionName = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/);

describe('a session in Redis', () => {
  it('gives back its parts, whatever its answer holds', () => {
    fc.assert(
      fc.property(fc.nat(), regionName, fc.dictionary(regionName, fc.nat()), fc.string(), (epoch, home, counters, identifier) => {
        const answer = JSON.stringify({ origin: home, account: { id: 'a', identifier, home }, createdAt: 'then', expiresAt: 'later' });
        const text = textOf({ epoch, home, counters, answer });
        expect(partsOf(text)).toEqual({ epoch, home, counters: { ...counters }, answer });
        const id = { region: home, account: 'a', hash: Buffer.alloc(32), hashB64: '', createdAtMs: 1 };
        const session = new CheckedSession(id, 'local', text);
        expect([session.epoch, session.home, session.answer, session.identifier]).toEqual([epoch, home, answer, identifier]);
      }),
    );
  });
});

describe('the token reader', () => {
  const id = { region: 'east', account: 'a', hash: Buffer.alloc(32), createdAtMs: 1 };

  it('asks for the mac once for a token that was right, and each time for one that was not', () => {
    let asked = 0;
    const reader = new TokenReader({ keysVersion: 0, parse: (token) => ((asked += 1), token === 'right' ? id : undefined) }, ['east', 'west']);
    expect(reader.parse('right')?.account).toBe('a');
    expect(reader.parse('right')?.hashB64).toBe(id.hash.toString('base64url'));
    expect(asked).toBe(1);
    expect(reader.parse('wrong')).toBeUndefined();
    expect(reader.parse('wrong')).toBeUndefined();
    expect(asked).toBe(3);
  });

  it('asks again after the keys have changed', () => {
    const ids = { keysVersion: 0, parse: (): typeof id | undefined => id };
    const reader = new TokenReader(ids, ['east']);
    expect(reader.parse('right')).toBeDefined();
    Object.assign(ids, { keysVersion: 1, parse: () => undefined });
    expect(reader.parse('right')).toBeUndefined();
  });

  it('knows no region that is not configured', () => {
    expect(new TokenReader({ keysVersion: 0, parse: () => id }, ['west']).parse('right')).toBeUndefined();
  });
});
