import { readFile } from 'node:fs/promises';
import type { ClientConfig } from 'pg';
import { ConninfoError, parseConninfo, withHost } from './conninfo.js';
import { Session } from './session.js';
import { timings } from './timings.js';

/** PEM files of this process: the deployment's CA, and the certificate that names this region. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Opens connections to one peer's PostgreSQL as the same role as the apply worker, over the same address. The files are
 * read at each opening, so that a new certificate needs no restart.
 */
export class PeerDatabase {
  private readonly settings: ReadonlyMap<string, string>;
  private name: string;

  /** @throws ConninfoError where the string can not be used, or asks for TLS and no files were given */
  constructor(
    private readonly given: string,
    private readonly tls: TlsFiles | undefined,
  ) {
    this.settings = parseConninfo(given);
    this.name = this.settings.get('host')!;
    const mode = this.settings.get('sslmode') ?? 'disable';
    if (mode !== 'disable' && mode !== 'verify-full') throw new ConninfoError('sslmode is neither verify-full nor disable');
    if (mode === 'verify-full' && tls === undefined) throw new ConninfoError('sslmode=verify-full needs this region\'s TLS files');
  }

  /** The server's certificate must carry this name from now on. */
  expect(name: string): void {
    this.name = name;
  }

  /** What the apply worker connects by. */
  get conninfo(): string {
    return this.name === this.settings.get('host') ? this.given : withHost(this.given, this.name);
  }

  /** @throws Error when the peer's server can not be reached, proves to be another, or refuses */
  async open(kind: 'sql' | 'replication' = 'sql', connectMs: number = timings.connectMs): Promise<Session> {
    return Session.open({ ...(await this.config()), ...(kind === 'replication' ? { replication: 'database' } : { statement_timeout: timings.pageMs }) }, connectMs);
  }

  private async config(): Promise<ClientConfig> {
    const host = this.name;
    return {
      host: this.settings.get('hostaddr') ?? host,
      port: Number(this.settings.get('port')),
      database: this.settings.get('dbname'),
      user: this.settings.get('user'),
      password: this.settings.get('password'),
      application_name: this.settings.get('application_name') ?? 'homeward-replication',
      ssl: this.settings.get('sslmode') === 'verify-full' ? await this.secure(host) : false,
    };
  }

  /** The certificate must carry the peer's name, whatever address the link gives it. */
  private async secure(servername: string): Promise<ClientConfig['ssl']> {
    const { caFile, certFile, keyFile } = this.tls!;
    const [ca, cert, key] = await Promise.all([readFile(caFile, 'utf8'), readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    return { ca, cert, key, servername, rejectUnauthorized: true, minVersion: 'TLSv1.2' };
  }
}
