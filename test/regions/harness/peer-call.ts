import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates } from '../../../apps/local/certificates.js';
import { type LinkService, linkPort, planPorts } from '../../../apps/local/ports.js';
import type { World } from './world.js';

/** What a caller presents; PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** The certificates that somebody could come with. */
export class Certificates {
  readonly ca: string;
  private readonly made: string[] = [];

  constructor(private readonly world: World) {
    this.ca = readFileSync(join(this.directory, 'ca.crt'), 'utf8');
  }

  /** A region's own. */
  of(region: string): Identity {
    return read(this.directory, region);
  }

  /** One that another deployment's CA has signed. */
  async ofAnotherDeployment(name: string): Promise<Identity> {
    return this.make(name, Date.now(), false);
  }

  /** One that this deployment's CA has signed, for whatever name, as of `nowMs`. */
  async signedHere(name: string, nowMs = Date.now()): Promise<Identity> {
    return this.make(name, nowMs, true);
  }

  remove(): void {
    for (const directory of this.made) rmSync(directory, { recursive: true, force: true });
  }

  private get directory(): string {
    return join(this.world.address.data, 'tls');
  }

  private async make(name: string, nowMs: number, here: boolean): Promise<Identity> {
    const directory = mkdtempSync(join(tmpdir(), 'homeward-tls-'));
    this.made.push(directory);
    mkdirSync(directory, { recursive: true });
    if (here) for (const file of ['ca.crt', 'ca.key']) copyFileSync(join(this.directory, file), join(directory, file));
    await ensureCertificates(directory, { [name]: 1 }, nowMs);
    return read(directory, name);
  }
}

/** The port at which `from` reaches a service of `to`: the link's. */
export function portOnLink(world: World, from: string, to: string, service: LinkService): number {
  return linkPort(planPorts(world.address.portBase, world.regions), from, to, service);
}

/** One call on a peer listener, as whoever the identity says. */
export interface PeerCall {
  readonly port: number;
  readonly to: string;
  readonly ca: string;
  readonly identity?: Identity;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Says that so many bytes of body follow, and sends none of them. */
  readonly withheldBytes?: number;
}

/** How long an answer may take that needs no body, on a busy machine. */
const PATIENCE_MS = 5_000;

/** @returns the answer as soon as it is there, whatever was left unsent */
export function callPeer({ port, to, ca, identity, method = 'POST', path = '/peer/v1/credentials', headers, body, withheldBytes }: PeerCall): Promise<{ status: number; body: any; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const length: Record<string, string> = withheldBytes === undefined ? {} : { 'content-length': String(withheldBytes), 'content-type': 'application/json' };
    const call = request({ host: '127.0.0.1', port, servername: to, ca, ...identity, agent: false, method, path, timeout: PATIENCE_MS, headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...length, ...headers } });
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', reject);
    call.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        call.destroy();
        resolve({ status: answer.statusCode!, headers: answer.headers, body: JSON.parse(Buffer.concat(chunks).toString() || 'null') });
      });
    });
    if (withheldBytes === undefined) call.end(body);
    else call.flushHeaders();
  });
}

function read(directory: string, name: string): Identity {
  return { cert: readFileSync(join(directory, `${name}.crt`), 'utf8'), key: readFileSync(join(directory, `${name}.key`), 'utf8') };
}
