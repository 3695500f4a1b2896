import { Agent } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { limits } from '#kernel/config';

/** What this region presents to a peer, and the authority that a peer's certificate must be of; PEM. */
export interface PeerTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Keeps connections to one peer, checks its name and so its incarnation, and sees how long its certificate lasts. */
export class PeerAgent extends Agent {
  constructor(
    maxSockets: number,
    serverName: string,
    tls: PeerTls,
    private readonly seen: (expiresMs: number) => void,
  ) {
    super({ keepAlive: true, timeout: limits.peerIdleSocketMs, maxSockets, servername: serverName, minVersion: 'TLSv1.3', ...tls });
  }

  override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    const socket = super.createConnection(...args) as TLSSocket;
    socket.once('secureConnect', () => {
      // A resumed session carries no certificate; what was seen before stands.
      const { valid_to: expires } = socket.getPeerCertificate();
      if (expires !== undefined) this.seen(Date.parse(expires));
    });
    return socket;
  }

  /** Idle connections end now, the others with what is under way on them. */
  retire(): void {
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy();
    this.maxFreeSockets = 0;
  }
}
