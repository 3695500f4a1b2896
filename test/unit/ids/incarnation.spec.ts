import { describe, expect, it } from 'vitest';
import { incarnationIn, numbersBelow, serverNameOf } from '#kernel/ids';

describe('an incarnation', () => {
  it('is read from the name that its certificate bears', () => {
    for (const incarnation of [1, 2, 10, 9_999]) expect(incarnationIn(`DNS:${serverNameOf('west', incarnation)}`, 'west')).toBe(incarnation);
    expect(incarnationIn('DNS:localhost, DNS:i3.west', 'west')).toBe(3);
  });

  it('of another region, or of no form that we write, says nothing', () => {
    for (const name of [undefined, '', 'DNS:west', 'DNS:i2.east', 'DNS:i2.west.example', 'DNS:i0.west', 'DNS:i02.west', 'DNS:ix.west', 'DNS:i2west', 'DNS:2.west', 'IP Address:127.0.0.1']) expect(incarnationIn(name, 'west')).toBe(1);
  });

  it('gives numbers above all that the one before could give, which JSON carries exactly', () => {
    expect(numbersBelow(1)).toBe(0);
    for (const incarnation of [2, 3, 100]) expect(numbersBelow(incarnation) - numbersBelow(incarnation - 1)).toBe(2 ** 40);
    expect(Number.isSafeInteger(numbersBelow(8_192) + 2 ** 40 - 1)).toBe(true);
  });
});
