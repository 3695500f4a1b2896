import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { z } from 'zod';

import { RuntimeFailure } from '../failure.js';
import type { Link } from '../link/link.js';
import { PART_NAMES, type Region } from '../region.js';
import { clockRequest, linkRequest, partRequest } from './requests.js';

const MAX_BODY_BYTES = 64 * 1024;
const BODY_MS = 5_000;

/** What the control API controls. */
export interface Controlled {
  readonly isReady: () => boolean;
  readonly regions: ReadonlyMap<string, Region>;
  readonly links: readonly Link[];
}

/** The control API of the local runtime, on loopback only: `contract.md`, "The local runtime". */
export class ControlServer {
  readonly #controlled: Controlled;
  readonly #server: Server;

  constructor(controlled: Controlled) {
    this.#controlled = controlled;
    this.#server = createServer({ requestTimeout: BODY_MS }, (request, response) => void this.#answer(request, response));
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host: '127.0.0.1' }, resolve);
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await this.#route(request);
      send(response, 200, 'application/json', body);
    } catch (error) {
      const { status, slug, title, detail, ...more } = problemOf(error);
      const instance = `urn:uuid:${randomUUID()}`;
      send(response, status, 'application/problem+json', { type: `urn:homeward:problem:${slug}`, title, status, detail, instance, ...more });
    }
  }

  async #route(request: IncomingMessage): Promise<object> {
    const path = new URL(request.url ?? '/', 'http://127.0.0.1').pathname.split('/').filter((one) => one !== '');
    const [kind, first, second, third] = path;
    if (path.length === 0) return this.#method(request, 'GET', () => this.#describe());
    if (kind === 'links' && path.length === 3) {
      const link = this.#link(first!, second!);
      return this.#method(request, 'PUT', async () => {
        await link.change(linkRequest(link).parse(await readBody(request)));
        return link.describe();
      });
    }
    const region = kind === 'regions' ? this.#controlled.regions.get(first ?? '') : undefined;
    if (region === undefined) throw new NotFoundError(`/${path.join('/')}`);
    if (second === 'clock' && path.length === 3) return this.#method(request, 'PUT', () => setClock(region, request));
    if (second === 'rebuild' && path.length === 3) return this.#method(request, 'POST', () => region.rebuild());
    const part = [...PART_NAMES, 'all' as const].find((name) => name === third);
    if (second === 'parts' && part !== undefined && path.length === 4) return this.#method(request, 'PUT', () => setPart(region, part, request));
    throw new NotFoundError(`/${path.join('/')}`);
  }

  #method(request: IncomingMessage, method: string, act: () => Promise<object>): Promise<object> {
    if (request.method !== method) throw new WrongMethodError(method);
    return act();
  }

  #link(one: string, other: string): Link {
    const link = this.#controlled.links.find(({ a, b }) => (a === one && b === other) || (a === other && b === one));
    if (link === undefined) throw new NotFoundError(`/links/${one}/${other}`);
    return link;
  }

  async #describe(): Promise<object> {
    const { regions, links, isReady } = this.#controlled;
    const described = await Promise.all(
      [...regions.values()].map(async (region) => {
        const { name, ports } = region;
        const states = await region.states();
        return [name, { public: `http://127.0.0.1:${ports.public}`, ops: `http://127.0.0.1:${ports.ops}`, peer: `https://127.0.0.1:${ports.peer}`, parts: states }];
      }),
    );
    return {
      ready: isReady(),
      regions: Object.fromEntries(described) as object,
      links: Object.fromEntries(links.map((link) => [`${link.a}/${link.b}`, link.describe()])),
    };
  }
}

async function setPart(region: Region, part: (typeof PART_NAMES)[number] | 'all', request: IncomingMessage): Promise<object> {
  const wanted = partRequest.parse(await readBody(request));
  if (wanted.state === 'up') await region.up(part);
  else if (wanted.state === 'frozen') await region.freeze(part);
  else await region.down(part, wanted.signal);
  return { parts: await region.states() };
}

async function setClock(region: Region, request: IncomingMessage): Promise<object> {
  const { offsetMs } = clockRequest.parse(await readBody(request));
  await region.setClock(offsetMs);
  return { offsetMs };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let size = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BodyTooLargeError();
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new z.ZodError([{ code: 'custom', path: [], message: 'the body is not JSON', input: undefined }]);
  }
}

function send(response: ServerResponse, status: number, type: string, body: object): void {
  response.writeHead(status, { 'content-type': type }).end(`${JSON.stringify(body)}\n`);
}

class NotFoundError extends Error {
  readonly code = 'not-found';
}
class WrongMethodError extends Error {
  readonly code = 'method-not-allowed';
}
class BodyTooLargeError extends Error {
  readonly code = 'body-too-large';
}

interface Problem {
  readonly status: number;
  readonly slug: string;
  readonly title: string;
  readonly detail: string;
  readonly errors?: { path: string; message: string }[];
}

function problemOf(error: unknown): Problem {
  if (error instanceof z.ZodError) {
    const errors = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
    return { status: 400, slug: 'invalid-request', title: 'Invalid request', detail: 'The body is not what this call takes.', errors };
  }
  if (error instanceof NotFoundError) return { status: 404, slug: error.code, title: 'Not found', detail: `There is no ${error.message}.` };
  if (error instanceof WrongMethodError) return { status: 405, slug: error.code, title: 'Method not allowed', detail: `This address takes ${error.message}.` };
  if (error instanceof BodyTooLargeError) return { status: 413, slug: error.code, title: 'Body too large', detail: `Bodies of up to ${MAX_BODY_BYTES} bytes are taken.` };
  if (error instanceof RuntimeFailure) return { status: 503, slug: 'unavailable', title: 'Not done', detail: error.message };
  return { status: 500, slug: 'internal', title: 'Internal error', detail: String(error) };
}
