/** A connection string can not be used; `problem` never repeats a value, since one may be a password. */
export class ConninfoError extends Error {
  readonly code = 'conninfo';
  constructor(readonly problem: string) {
    super(`the peer's connection string can not be used: ${problem}`);
    this.name = 'ConninfoError';
  }
}

const pair = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)+))(?=\s|$)\s*/gys;

/**
 * Reads a libpq `key=value` string: values bare or in single quotes, with backslash escapes (libpq, "Connection Strings").
 * Strict, because what this service understands otherwise than the apply worker would be found at the worst moment.
 * @throws ConninfoError
 */
export function parseConninfo(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  pair.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    const match = pair.exec(text);
    if (match === null) throw new ConninfoError(`not key=value at character ${at + 1}`);
    const [, key, quoted, bare] = match;
    if (found.has(key!)) throw new ConninfoError(`${key} is given twice`);
    found.set(key!, (quoted ?? bare ?? '').replaceAll(/\\(.)/gs, '$1'));
    at = pair.lastIndex;
  }
  for (const key of ['host', 'port', 'dbname', 'user']) {
    if (!found.get(key)) throw new ConninfoError(`${key} is missing`);
  }
  if (!/^\d{1,5}$/.test(found.get('port')!)) throw new ConninfoError('port is not one number');
  return found;
}

/** The same string with another host, which is a name and needs no quotes; everything else stays as it was written. */
export function withHost(text: string, host: string): string {
  return text.replaceAll(pair, (whole, key: string) => (key === 'host' ? ` host=${host} ` : whole)).trim();
}
