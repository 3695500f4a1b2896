import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { PeerTls, Peers } from '#adapters/peer-client';
import { type RegionConfig, limits } from '#kernel/config';
import { incarnationIn, serverNameOf } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';

/** How often an expiry that comes near is logged again. */
const ANNOUNCE_EVERY_MS = 24 * 3_600_000;
/** The name under which this region's own certificate is told, beside those of peers. */
const OWN = 'own';

export interface CertificateStatus {
  /** ISO 8601; null for a peer that was never spoken to. */
  readonly expiresAt: string | null;
  readonly expiresInMs: number | null;
  /** Within 14 days, or past. */
  readonly expiring: boolean;
}

/**
 * This region's certificate and those that peers present: how long they last, announced 14 days before the end (faults, 31). A renewed
 * pair on disk is taken while the service runs. Times are the machine's, as TLS itself goes by.
 */
export class Certificates {
  current: PeerTls;
  /** Which incarnation of this region the certificate is of; it never changes while a process runs. */
  readonly incarnation: number;
  private expiresMs: number;
  private problem: string | undefined;
  private readonly renewed: ((tls: PeerTls) => void)[] = [];
  private readonly announcedMs = new Map<string, number>();

  /** @throws Error where the files can't be read; whether they fit together is TLS' own matter at the start */
  constructor(
    private readonly own: string,
    private readonly files: RegionConfig['tls'],
    private readonly logger: Logger,
  ) {
    this.current = this.read();
    const certificate = new X509Certificate(this.current.cert);
    this.expiresMs = certificate.validToDate.getTime();
    this.incarnation = incarnationIn(certificate.subjectAltName, own);
  }

  /** Calls `fn` with each renewed certificate. */
  onRenewed(fn: (tls: PeerTls) => void): void {
    this.renewed.push(fn);
  }

  /** Takes what lies on disk now, and announces what expires soon. */
  look(peers: Peers): void {
    this.takeRenewed();
    for (const [name, { expiresAt, expiring }] of Object.entries(this.status(peers))) {
      const now = Date.now();
      if (!expiring || now - (this.announcedMs.get(name) ?? -Infinity) < ANNOUNCE_EVERY_MS) continue;
      this.announcedMs.set(name, now);
      this.logger.warn({ certificate: name, expiresAt }, 'a certificate expires soon: renew it');
    }
  }

  /** By `own` and the names of peers, whose certificates are those of the last handshake. */
  status(peers: Peers): Record<string, CertificateStatus> {
    const all: [string, number | undefined][] = [[OWN, this.expiresMs], ...peers.all.map((peer): [string, number | undefined] => [peer.name, peer.certificateExpiresMs])];
    return Object.fromEntries(all.map(([name, expiresMs]) => [name, statusOf(expiresMs)]));
  }

  /** Files are replaced one after the other: what doesn't fit together yet is looked at again. */
  private takeRenewed(): void {
    try {
      const tls = this.read();
      if (tls.cert.equals(this.current.cert) && tls.key.equals(this.current.key) && tls.ca.equals(this.current.ca)) return;
      const expiresMs = mustFit(tls, serverNameOf(this.own, this.incarnation));
      if (expiresMs < Date.now()) throw new Error('the certificate has expired');
      this.current = tls;
      this.expiresMs = expiresMs;
      this.problem = undefined;
      this.announcedMs.delete(OWN);
      for (const fn of this.renewed) fn(tls);
      this.logger.info({ expiresAt: new Date(expiresMs).toISOString() }, 'a renewed certificate was taken');
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== this.problem) this.logger.warn({ why }, 'the certificate on disk is not taken; the one before it stays');
      this.problem = why;
    }
  }

  private read(): PeerTls {
    const { caFile, certFile, keyFile } = this.files;
    return { ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }
}

/** @returns when it expires @throws Error where the three don't go together, or name another region */
function mustFit({ ca, cert, key }: PeerTls, own: string): number {
  const certificate = new X509Certificate(cert);
  if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the certificate and its key are not a pair');
  if (certificate.checkHost(own) === undefined) throw new Error('the certificate names another region, or another incarnation of it');
  // Its issuer is among the authorities, or comes with it.
  const issuers = [...certificatesIn(ca), ...certificatesIn(cert).slice(1)];
  if (!issuers.some(({ publicKey }) => certificate.verify(publicKey))) throw new Error('the certificate is of another authority');
  createSecureContext({ ca, cert, key });
  return certificate.validToDate.getTime();
}

function certificatesIn(pem: Buffer): X509Certificate[] {
  return (pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one));
}

function statusOf(expiresMs: number | undefined): CertificateStatus {
  if (expiresMs === undefined) return { expiresAt: null, expiresInMs: null, expiring: false };
  const expiresInMs = expiresMs - Date.now();
  return { expiresAt: new Date(expiresMs).toISOString(), expiresInMs, expiring: expiresInMs < limits.certificateNoticeMs };
}
