import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import { PeerRefusedError } from '#kernel/problems';

declare module 'fastify' {
  interface FastifyRequest {
    /** The peer that calls, as its certificate says. */
    peer?: string;
  }
}

/**
 * Admits a call before its body is read: its certificate is of this deployment's CA and names a configured peer, which
 * calls in its own name, and this region.
 */
export function admitPeers(own: string, peers: readonly string[], refused: (why: string) => void): (request: FastifyRequest) => void {
  const known = new Set(peers);
  return (request) => {
    const socket = request.raw.socket as TLSSocket;
    const name = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
    const why = refusal(name, known, own, request);
    if (why !== undefined) {
      refused(why);
      throw new PeerRefusedError(why);
    }
    request.peer = name as string;
  };
}

function refusal(name: string | string[] | undefined, known: ReadonlySet<string>, own: string, { headers }: FastifyRequest): string | undefined {
  if (typeof name !== 'string') return 'no certificate of this deployment was presented';
  if (!known.has(name)) return 'the certificate names no peer of this region';
  if (headers['homeward-from'] !== name) return 'the call is made in the name of another region';
  if (headers['homeward-to'] !== own) return 'the call is meant for another region';
  return undefined;
}
