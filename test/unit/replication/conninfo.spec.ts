import { describe, expect, it } from 'vitest';
import { parseConninfo, withHost } from '../../../libs/adapters/replication/conninfo.js';

const GIVEN = [
  "host=west hostaddr=127.0.0.1 port=5432 dbname=homeward user=peer_east sslmode=verify-full sslkey='/a b/host=x.key' connect_timeout=2",
  "port=5432 dbname=homeward user=peer_east password='it\\'s'  host = 'west'",
  "user=peer_east port=5432 host=west dbname=homeward options='-c search_path=public host=none'",
];

describe('a connection string with another host', () => {
  it.each(GIVEN)('is the same in everything else: %s', (text) => {
    const [before, after] = [parseConninfo(text), parseConninfo(withHost(text, 'i2.west'))];
    expect(after.get('host')).toBe('i2.west');
    expect([...after].filter(([key]) => key !== 'host').toSorted()).toEqual([...before].filter(([key]) => key !== 'host').toSorted());
  });
});
