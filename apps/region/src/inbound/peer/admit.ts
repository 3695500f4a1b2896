import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { PeerRefusal } from '#features/status';
import { incarnationIn } from '#kernel/ids';
import { PeerRefusedError } from '#kernel/problems';

declare module 'fastify' {
  interface FastifyRequest {
    /** The peer that calls, as its certificate says. */
    peer?: string;
    /** And which incarnation of it. */
    peerIncarnation?: number;
  }
}

/** The same for whoever called. */
const WORDS: Record<Exclude<PeerRefusal, 'late'>, string> = {
  certificate: 'no certificate of this deployment was presented',
  expired: 'the certificate has expired',
  stranger: 'the certificate names no peer of this region',
  'other-name': 'the call is made in the name of another region',
  'other-region': 'the call is meant for another region',
  superseded: 'the certificate is of an earlier incarnation of the region',
};

/** Whom a connection's certificate names, and until when. */
interface Caller {
  readonly name: string | undefined;
  readonly incarnation: number;
  readonly expiresMs: number;
}

/** Which incarnation of each peer is known here. */
export interface KnownIncarnations {
  of(peer: string): number;
  /** A peer has called as a later one. */
  noticed(peer: string, incarnation: number): void;
}

/**
 * Admits a call before its body is read: its certificate is of this deployment's CA, has not expired since the connection was made, and names
 * a configured peer in no earlier incarnation than is known, which calls in its own name, and this region.
 */
export function admitPeers(own: string, peers: readonly string[], incarnations: KnownIncarnations, refused: (why: PeerRefusal) => void): (request: FastifyRequest) => void {
  const known = new Set(peers);
  const callers = new WeakMap<TLSSocket, Caller>();
  return (request) => {
    const socket = request.raw.socket as TLSSocket;
    const caller = callers.get(socket) ?? callerOf(socket);
    callers.set(socket, caller);
    const why = refusal(socket, caller, known, own, request) ?? (caller.incarnation < incarnations.of(caller.name!) ? 'superseded' : undefined);
    if (why !== undefined) {
      refused(why);
      throw new PeerRefusedError(WORDS[why], why === 'superseded' ? why : undefined);
    }
    if (caller.incarnation > incarnations.of(caller.name!)) incarnations.noticed(caller.name!, caller.incarnation);
    request.peer = caller.name!;
    request.peerIncarnation = caller.incarnation;
  };
}

/** Of the handshake, or of the one before that it resumes. */
function callerOf(socket: TLSSocket): Caller {
  const { subject, subjectaltname, valid_to: expires } = socket.getPeerCertificate();
  const name = typeof subject?.CN === 'string' ? subject.CN : undefined;
  return { name, incarnation: incarnationIn(subjectaltname, name ?? ''), expiresMs: expires === undefined ? Number.NaN : Date.parse(expires) };
}

function refusal(socket: TLSSocket, { name, expiresMs }: Caller, known: ReadonlySet<string>, own: string, { headers }: FastifyRequest): Exclude<PeerRefusal, 'late'> | undefined {
  if (!socket.authorized) return String(socket.authorizationError) === 'CERT_HAS_EXPIRED' ? 'expired' : 'certificate';
  // By the clock that TLS itself goes by: a connection outlives the moment at which its certificate was looked at.
  if (!(Date.now() < expiresMs)) return 'expired';
  if (name === undefined || !known.has(name)) return 'stranger';
  if (headers['homeward-from'] !== name) return 'other-name';
  if (headers['homeward-to'] !== own) return 'other-region';
  return undefined;
}
