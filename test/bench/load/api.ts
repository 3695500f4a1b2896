import { Pool } from 'undici';

const DEADLINE_MS = 15_000;

/** A region's public API as many clients see it: kept connections, answers read to their end. */
export class Api {
  private readonly pool: Pool;

  constructor(origin: string, connections: number) {
    this.pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: DEADLINE_MS, bodyTimeout: DEADLINE_MS });
  }

  /** The session that the token stands for is good. */
  async check(token: string): Promise<void> {
    if ((await this.checkStatus(token)) !== 200) throw new Error('a session is not good');
  }

  async checkStatus(token: string): Promise<number> {
    const { statusCode, body } = await this.pool.request({ method: 'GET', path: '/v1/sessions/current', headers: { authorization: `Bearer ${token}` } });
    await body.text();
    return statusCode;
  }

  /** @returns the session's token */
  async signIn(user: { identifier: string; password: string }): Promise<string> {
    const { token } = await this.send<{ token: string }>(201, 'POST', '/v1/sessions', { identifier: user.identifier, password: user.password });
    return token;
  }

  /** @returns the account's id */
  async register(user: { identifier: string; password: string }): Promise<string> {
    const { id } = await this.send<{ id: string }>(201, 'POST', '/v1/accounts', { identifier: user.identifier, password: user.password });
    return id;
  }

  /** @returns the account's id */
  async editProfile(token: string, patch: object): Promise<string> {
    const { accountId } = await this.send<{ accountId: string }>(200, 'PATCH', '/v1/profile', patch, { authorization: `Bearer ${token}` });
    return accountId;
  }

  async signOut(token: string): Promise<void> {
    await this.send(204, 'DELETE', '/v1/sessions/current', undefined, { authorization: `Bearer ${token}` });
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private async send<T>(expected: number, method: 'POST' | 'PATCH' | 'DELETE', path: string, content: object | undefined, headers: Record<string, string> = {}): Promise<T> {
    const { statusCode, body } = await this.pool.request({
      method, path,
      ...(content === undefined ? { headers } : { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(content) }),
    });
    const text = await body.text();
    if (statusCode !== expected) throw new Error(`${method} ${path} answered ${statusCode}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
