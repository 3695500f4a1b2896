import { WeakPasswordError } from '#kernel/problems';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalPassword, checkPassword } from '../../../libs/features/accounts/password-rules.js';

const email = 'alice.smith+shop@example.com';
const phone = '+4915112345678';

describe('a password', () => {
  it.each([
    'correct horse battery staple', 'Tr0ub4dor&3', 'homeward-test-1', 'violet-otter-42', 'a-good-password-1', 'z'.repeat(256), 'example-pass', 'alice.smith-pass', 'пароль для дома', '🚀🛰🪐🌍🌕🌟☄️🛸', 'x9'.repeat(3) + 'Lm',
    'alice likes long walks', 'my example passphrase', '                 so many spaces', Array.from({ length: 256 }, (_, index) => String.fromCodePoint(0x4e00 + index * 7)).join(''),
  ])('such as %j is taken', (password) => {
    expect(() => checkPassword(password, email)).not.toThrow();
  });

  it.each([
    ['short', /at least 8/], ['🚀'.repeat(7), /at least 8/], ['e\u0301'.repeat(7), /at least 8/], ['x'.repeat(257), /at most 256/], ['x'.repeat(60_000), /at most 256/],
    ['password', /commonest/], ['PassWord', /commonest/], ['password123', /commonest/], ['qwertyuiop', /commonest/], ['p@ssw0rd', /commonest/],
    ['alice.smith', /identifier/], ['AliceSmith1', /identifier/], ['htims.ecila', /identifier/], ['alice.smith+shop@example.com', /identifier/], ['example.com', /identifier/],
    ['alice.smith2024', /identifier/], ['!!alicesmithshop!!', /identifier/], ['smith+shop', /identifier/], ['abcdefg\ud800h', /Unicode/],
  ])('such as %j is refused with a plain reason', (password, reason) => {
    expect(() => checkPassword(password, email)).toThrow(WeakPasswordError);
    expect(() => checkPassword(password, email)).toThrow(reason);
  });

  it.each(['+4915112345678', '4915112345678', '015112345678', '15112345678a', '87654321151', 'x12345678x'])('made of the phone number, %j, is refused', (password) => {
    expect(() => checkPassword(password, phone)).toThrow(/identifier|commonest/);
  });

  it('may be asked to be longer, and is the same however its characters are composed', () => {
    expect(() => checkPassword('violet-otter-4', email, 15)).toThrow(/at least 15/);
    expect(() => checkPassword('violet-otter-42', email, 15)).not.toThrow();
    expect(canonicalPassword('cafe\u0301')).toBe(canonicalPassword('caf\u00e9'));
    expect(canonicalPassword('\uff21')).not.toBe('A');
  });

  it('is never judged with another error, whatever the text', () => {
    const texts = fc.sample(fc.string({ unit: 'binary', minLength: 8, maxLength: 256 }), 300);
    texts.push('a'.repeat(255) + 'b', 'password'.repeat(32), 'ab'.repeat(4096), '1'.repeat(8192));
    for (const text of texts) judge(text);
  });
});

function judge(password: string): void {
  try {
    checkPassword(password, email);
  } catch (error) {
    expect(error).toBeInstanceOf(WeakPasswordError);
  }
}
