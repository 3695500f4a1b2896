import type { Peers } from '#adapters/peer-client';
import type { Database } from '#adapters/postgres';

/** The columns of the contract's table "What works when", for a user of home H asked in region R. */
export type Situation = 'all-well' | 'home-cut' | 'away-cut';

interface Row {
  readonly operation: string;
  readonly allWell: string;
  /** R is H and the link is cut. */
  readonly homeCut: string;
  /** R is not H, and the link is cut or H is down. */
  readonly awayCut: string;
}

/** The contract's table as data. */
const TABLE: readonly Row[] = [
  { operation: 'register', allWell: 'full', homeCut: 'full', awayCut: 'refused: home-unavailable' },
  { operation: 'sign in, account and password known here, right', allWell: 'full', homeCut: 'full', awayCut: 'works, assurance: local' },
  { operation: 'sign in, wrong or not known here', allWell: "401 by home's word", homeCut: '401', awayCut: '503 home-unavailable, whether the account exists or not' },
  { operation: 'sign in, a newer epoch is known than the password here', allWell: 'second read', homeCut: 'full', awayCut: 'refused: home-unavailable' },
  { operation: 'check a session made here', allWell: 'full', homeCut: 'full', awayCut: 'full' },
  { operation: 'check a session made elsewhere', allWell: 'origin read', homeCut: 'cached up to 5 s, then regenerate', awayCut: 'cached up to 5 s, then regenerate' },
  { operation: 'sign out, one or all', allWell: 'full', homeCut: 'full here, elsewhere after healing', awayCut: 'full here, elsewhere after healing' },
  { operation: 'read and write the profile', allWell: 'full', homeCut: 'full, merged after healing', awayCut: 'full, merged after healing' },
  { operation: 'change the password', allWell: 'full', homeCut: 'full, elsewhere after healing', awayCut: 'refused: home-unavailable' },
  { operation: 'see the balance', allWell: 'full', homeCut: 'full', awayCut: 'replicated, asOf' },
  { operation: 'transfer', allWell: 'settled', homeCut: 'settled; a payee elsewhere gets it after healing', awayCut: 'queued' },
];

/** What works when, and which column is in force here now for the users of each home. */
export class Degradation {
  constructor(
    private readonly own: string,
    private readonly peers: Peers,
    private readonly database: Database,
  ) {}

  now() {
    const peers = this.peers.all.map((peer) => ({ region: peer.name, reachable: peer.reachable('write') }));
    const anyCut = peers.some(({ reachable }) => !reachable);
    const situations: [string, Situation][] = [[this.own, anyCut ? 'home-cut' : 'all-well'], ...peers.map(({ region, reachable }): [string, Situation] => [region, reachable ? 'all-well' : 'away-cut'])];
    const now = Object.fromEntries(situations);
    const writes = this.database.reserve.status.refusing ? ('refused: the disk is nearly full' as const) : ('taken' as const);
    return { region: this.own, peers, writes, items: TABLE.map((row) => ({ ...row, now })) };
  }
}
