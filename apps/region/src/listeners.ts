import type { Server } from 'node:https';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { PeerTls } from '#adapters/peer-client';
import type { PeerRefusal } from '#features/status';
import { limits } from '#kernel/config';
import type { ProblemError } from '#kernel/problems';
import { createListener } from './inbound/http/listener.js';
import { admitPeers } from './inbound/peer/admit.js';
import { publishDocument } from './inbound/public/document.js';
import { opsModule, peerModule, publicModule } from './modules.js';
import type { Region } from './region.js';

/** What a peer sends may be longer than what a client sent, since it is written out again. */
const PEER_BODY_BYTES = 4 * limits.bodyBytes;
/** One request in so many is logged; errors and slow ones always (hot-paths: logging each costs 15 to 25 %). */
const LOGGED_EACH = 100;
const SLOW_MS = 1_000;

/** The three listeners of a region, not listening yet. */
export async function createListeners(region: Region): Promise<{ app: NestFastifyApplication; port: number }[]> {
  const { config, logger } = region;
  const common = (listener: string) => ({ region: config.region, logger, answered: account(region, listener), cutOff: (why: string) => region.metrics.cutOff(listener, why) });
  const open = await createListener(publicModule(region), { ...common('public'), bodyBytes: limits.bodyBytes, mediaTypes: ['application/json', 'application/merge-patch+json'], trustedProxies: config.trustedProxies, refused: noteRefusals(region) });
  // Not strict: what is no whole preflight would be refused without a type.
  if (config.corsOrigins.length > 0) open.enableCors({ origin: [...config.corsOrigins], exposedHeaders: EXPOSED, methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], strictPreflight: false });
  publishDocument(open);
  const ops = await createListener(opsModule(region), { ...common('ops'), bodyBytes: limits.bodyBytes });
  const refused = (why: PeerRefusal): void => {
    region.metrics.peerRefused(why);
    logger.warn({ why }, 'a call on the peer listener was refused');
  };
  const peer = await createListener(peerModule(region), {
    ...common('peer'), bodyBytes: PEER_BODY_BYTES, https: peerTls(region.certificates.current), requestsPerConnection: limits.peerRequestsPerConnection,
    admit: admitPeers(config.region, config.peers.map(({ name }) => name), region.incarnations, refused),
  });
  region.certificates.onRenewed((tls) => {
    const server = peer.getHttpServer() as Server;
    server.setSecureContext(peerTls(tls));
    // Peers come back at once, and see it.
    server.closeIdleConnections();
  });
  return [{ app: open, port: config.ports.public }, { app: ops, port: config.ports.ops }, { app: peer, port: config.ports.peer }];
}

const EXPOSED = ['Homeward-Region', 'Homeward-Home', 'Homeward-Read', 'Homeward-Consistency', 'X-Request-Id', 'ETag', 'Location', 'Retry-After'];

/** A caller without a certificate is let through the handshake, to be told by a problem and before its body is read. */
function peerTls(tls: PeerTls) {
  return { ...tls, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' as const };
}

/** What an unreachable peer costs clients is part of its incident. */
function noteRefusals({ refusals, clock }: Region): (request: FastifyRequest, problem: ProblemError) => void {
  return (request, problem) => refusals.hear(`${request.method} ${request.routeOptions.url ?? ''}`, problem, new Date(clock.wallMs()).toISOString());
}

function account({ metrics, logger }: Region, listener: string): (request: FastifyRequest, reply: FastifyReply) => void {
  let count = 0;
  return (request, reply) => {
    const route = `${request.method} ${request.routeOptions.url ?? 'unknown'}`;
    metrics.answered(listener, route, reply.statusCode, reply.elapsedTime / 1_000);
    count += 1;
    const telling = reply.statusCode >= 500 || reply.elapsedTime > SLOW_MS || count % LOGGED_EACH === 0;
    if (telling) logger.info({ requestId: request.id, listener, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered');
  };
}
