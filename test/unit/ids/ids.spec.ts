import { randomBytes } from 'node:crypto';
import { bytesToUuid, ConsistencyTokens, isUuid, type MacKey, MacKeyring, newId, SessionIds, uuidToBytes } from '#kernel/ids';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const key = (id: number): MacKey => ({ id, secret: randomBytes(32).toString('base64url') });
const [first, second, third] = [key(1), key(2), key(9)];
const clock = { wallMs: () => 1_795_000_000_123.4 };
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';

describe('an id', () => {
  it('is a UUIDv7 and survives its bytes', () => {
    const id = newId();
    expect(isUuid(id)).toBe(true);
    expect(id[14]).toBe('7');
    expect(bytesToUuid(uuidToBytes(id))).toBe(id);
    expect(() => uuidToBytes(id.toUpperCase().replace(/\d/g, 'A'))).toThrow(TypeError);
    expect(() => bytesToUuid(Buffer.alloc(15))).toThrow(TypeError);
    fc.assert(fc.property(fc.uuid(), (any) => void expect(bytesToUuid(uuidToBytes(any))).toBe(any)));
  });
});

describe('the mac keyring', () => {
  it('signs with the oldest key until every peer knows a newer one', () => {
    const ring = new MacKeyring([second, first, third]);
    expect([ring.signingKeyId, [...ring.keyIds]]).toEqual([1, [1, 2, 9]]);
    ring.confirm([[1, 2, 9], undefined]);
    expect(ring.signingKeyId).toBe(1);
    ring.confirm([[1, 2, 9], [1, 2]]);
    expect(ring.signingKeyId).toBe(2);
    ring.confirm([[77], [78]]);
    expect(ring.signingKeyId).toBe(2);
    ring.confirm([[1, 2, 9], [9, 2]]);
    expect(ring.signingKeyId).toBe(9);
    expect(new MacKeyring([first]).keyIds).toEqual([1]);
    const alone = new MacKeyring([first, second]);
    alone.confirm([]);
    expect(alone.signingKeyId).toBe(2);
  });

  it('verifies with every key of the ring, and each kind of token apart', () => {
    const old = new MacKeyring([first]);
    const both = new MacKeyring([first, second]);
    both.confirm([]);
    expect(both.verify('session', 'x', old.sign('session', 'x'))).toBe(true);
    expect(old.verify('session', 'x', both.sign('session', 'x'))).toBe(false);
    expect(both.verify('consistency', 'x', both.sign('session', 'x'))).toBe(false);
    expect(both.verify('session', 'y', both.sign('session', 'x'))).toBe(false);
    expect(both.verify('session', 'x', both.sign('session', 'x').subarray(1))).toBe(false);
  });

  it('takes other keys while it runs, and signs with a new one only after every peer has confirmed it', () => {
    const ring = new MacKeyring([first]);
    const old = ring.sign('session', 'x');
    ring.replace([first, second]);
    expect([ring.signingKeyId, [...ring.keyIds], ring.version]).toEqual([1, [1, 2], 1]);
    ring.confirm([[1, 2], [1]]);
    expect(ring.signingKeyId).toBe(1);
    ring.confirm([[1, 2], [1, 2]]);
    expect(ring.signingKeyId).toBe(2);
    expect(ring.verify('session', 'x', old)).toBe(true);
    ring.replace([second]);
    expect(ring.verify('session', 'x', old)).toBe(false);
    expect(ring.verify('session', 'x', ring.sign('session', 'x'))).toBe(true);
  });

  it('keeps its keys where other ones could not take over from them', () => {
    const ring = new MacKeyring([first, second]);
    const tag = ring.sign('session', 'x');
    for (const keys of [[], [second], [{ ...first, secret: key(1).secret }, second], [first, first]]) expect(() => ring.replace(keys)).toThrow(TypeError);
    expect([ring.signingKeyId, [...ring.keyIds], ring.version]).toEqual([1, [1, 2], 0]);
    expect(ring.verify('session', 'x', tag)).toBe(true);
  });

  it('refuses key files that could not be kept', () => {
    for (const keys of [[], [first, first], [{ id: 0, secret: first.secret }], [{ id: 256, secret: first.secret }], [{ id: 1, secret: 'c2hvcnQ' }], [{ id: 1, secret: `${first.secret}!` }]]) {
      expect(() => new MacKeyring(keys)).toThrow(TypeError);
    }
  });
});

describe('a session token', () => {
  const ids = new SessionIds(new MacKeyring([first, second]), clock);
  const account = newId();

  it('tells its region, account, hash and creation, in the region that made it and in its peers', () => {
    const made = ids.create('east', account);
    expect(made.token).toMatch(/^east\.[\w-]{43}\.[\w-]{23}$/);
    expect(made.hash).toHaveLength(32);
    expect(made.createdAtMs).toBe(1_795_000_000_123);
    const { token, ...told } = made;
    expect(new SessionIds(new MacKeyring([second, first]), clock).parse(token)).toEqual(told);
    expect(ids.create('east', account).token).not.toBe(token);
  });

  it('is refused after any change of a character', () => {
    const { token } = ids.create('east', account);
    for (let index = 0; index < token.length; index += 1) {
      for (const character of alphabet) {
        if (character !== token[index]) expect(ids.parse(token.slice(0, index) + character + token.slice(index + 1))).toBeUndefined();
      }
    }
    for (const changed of [`${token}=`, ` ${token}`, `${token}\n`, token.slice(0, -1), `${token}A`, token.replace('east', 'west')]) expect(ids.parse(changed)).toBeUndefined();
  });

  it('of another deployment or another purpose is refused', () => {
    expect(ids.parse(new SessionIds(new MacKeyring([key(1)]), clock).create('east', account).token)).toBeUndefined();
  });

  it('is read or refused without throwing, whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => void expect(ids.parse(text)).toBeUndefined()));
    const part = (length: number) => fc.string({ unit: fc.constantFrom(...alphabet.slice(0, -1)), minLength: length, maxLength: length });
    fc.assert(fc.property(part(43), part(23), (id, mac) => void expect(ids.parse(`east.${id}.${mac}`)).toBeUndefined()));
    expect(ids.parse('a'.repeat(10_000_000))).toBeUndefined();
  });
});

describe('a consistency token', () => {
  const tokens = new ConsistencyTokens(new MacKeyring([first]));
  const regions = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/), fc.maxSafeNat(), { maxKeys: 5, noNullPrototype: true });
  const versions = fc.record({ account: regions, password: regions, profile: regions, signout: regions }, { requiredKeys: [], noNullPrototype: true });
  const filled = (value: object) => Object.fromEntries(Object.entries(value).filter(([, inner]) => Object.keys(inner as object).length > 0));

  it('says what it was made of, in at most 2 KiB', () => {
    fc.assert(
      fc.property(fc.uuid(), versions, (account, made) => {
        const text = tokens.encode({ account, versions: made });
        expect(text.length).toBeLessThanOrEqual(2048);
        expect(tokens.decode(text)).toEqual({ account, versions: filled(made) });
      }),
    );
  });

  it('that was changed, cut or made elsewhere is ignored', () => {
    const account = newId();
    const text = tokens.encode({ account, versions: { profile: { east: 7 } } });
    for (let index = 0; index < text.length; index += 1) {
      const changed = text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1);
      expect(tokens.decode(changed)).toBeUndefined();
      expect(tokens.decode(text.slice(0, index))).toBeUndefined();
    }
    expect(new ConsistencyTokens(new MacKeyring([key(1)])).decode(text)).toBeUndefined();
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (any) => void expect(tokens.decode(any)).toBeUndefined()));
    expect(tokens.decode('A'.repeat(5_000_000))).toBeUndefined();
  });

  it('merges to the higher version of each kind and region, and knows only its own account', () => {
    const account = newId();
    const a = { account, versions: { profile: { east: 5, west: 9 }, password: { east: 1 } } };
    const b = { account, versions: { profile: { east: 6, constructor: 2 }, signout: { west: 3 } } };
    expect(tokens.merge(a, b)).toEqual({ account, versions: { password: { east: 1 }, profile: { east: 6, west: 9, constructor: 2 }, signout: { west: 3 } } });
    expect(tokens.merge({ ...a, account: newId() }, b)).toBe(b);
    expect(tokens.merge(undefined, b)).toBe(b);
    fc.assert(
      fc.property(versions, versions, (left, right) => {
        const [l, r] = [{ account, versions: left }, { account, versions: right }];
        expect(filled(tokens.merge(l, r).versions)).toEqual(filled(tokens.merge(r, l).versions));
        expect(filled(tokens.merge(l, l).versions)).toEqual(filled(left));
      }),
    );
  });

  it('never holds what could not be read back', () => {
    const account = newId();
    expect(() => tokens.encode({ account, versions: { profile: { East: 1 } } })).toThrow(RangeError);
    expect(() => tokens.encode({ account, versions: { profile: { east: 1.5 } } })).toThrow(RangeError);
    expect(() => tokens.encode({ account, versions: { profile: { east: 2 ** 53 } } })).toThrow(RangeError);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`r${index}`, 1]));
    expect(() => tokens.encode({ account, versions: { profile: many } })).toThrow(RangeError);
  });
});
