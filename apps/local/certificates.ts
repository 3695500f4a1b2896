// The certificate library registers its parts by decorators and needs this before it is loaded.
import 'reflect-metadata';

import { X509Certificate as ReadCertificate, createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverNameOf } from '#kernel/ids';

import * as x509 from '@peculiar/x509';

/** PEM files of one region; the key is PKCS#8. */
export interface RegionCertificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const CA_DAYS = 3_650;
const REGION_DAYS = 397;
/** Made anew at a start that finds less left than this. */
const RENEW_DAYS = 30;
/** Machines whose clock is behind accept it all the same. */
const BACKDATED_MS = DAY_MS;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

type KeyPair = { privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey };

/**
 * Makes what is missing or about to expire of the deployment's certificates: its CA, and per region a certificate
 * whose name is the region's, for both ends of a connection. @param directory holds them, owner only
 * @param regions by name, with their incarnations
 */
export async function ensureCertificates(directory: string, regions: Readonly<Record<string, number>>, nowMs: number): Promise<Record<string, RegionCertificate>> {
  x509.cryptoProvider.set(webcrypto);
  const ca = join(directory, 'ca.crt');
  const caKey = join(directory, 'ca.key');
  const caIsNew = !lasts(ca, caKey, nowMs, undefined);
  if (caIsNew) await makeCa(ca, caKey, nowMs);
  const found: Record<string, RegionCertificate> = {};
  for (const [region, incarnation] of Object.entries(regions)) {
    const name = serverNameOf(region, incarnation);
    const files = { ca, cert: join(directory, `${region}.crt`), key: join(directory, `${region}.key`) };
    if (caIsNew || !lasts(files.cert, files.key, nowMs, name)) await makeRegion(region, name, files, caKey, nowMs);
    found[region] = files;
  }
  return found;
}

function lasts(cert: string, key: string, nowMs: number, name: string | undefined): boolean {
  if (!existsSync(cert) || !existsSync(key)) return false;
  const read = new ReadCertificate(readFileSync(cert));
  if (name !== undefined && read.checkHost(name) === undefined) return false;
  return read.validToDate.getTime() - nowMs > RENEW_DAYS * DAY_MS && read.checkPrivateKey(createPrivateKey(readFileSync(key)));
}

async function makeCa(cert: string, key: string, nowMs: number): Promise<void> {
  const keys = await makeKeys();
  const name = `CN=Homeward local CA ${randomBytes(4).toString('hex')}`;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    ...validity(nowMs, CA_DAYS),
    signingAlgorithm: ALGORITHM,
    keys: keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await save(made, keys, cert, key);
}

async function makeRegion(region: string, name: string, files: RegionCertificate, caKey: string, nowMs: number): Promise<void> {
  const ca = new x509.X509Certificate(readFileSync(files.ca, 'utf8'));
  const keys = await makeKeys();
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${region}`,
    issuer: ca.subject,
    ...validity(nowMs, REGION_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await readKey(caKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await save(made, keys, files.cert, files.key);
}

function validity(nowMs: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - BACKDATED_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

/** 16 random bytes, positive as the standard wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function makeKeys(): Promise<KeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as KeyPair;
}

async function readKey(file: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(readFileSync(file)).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

/** The certificate last: without its key it is taken for missing, and the other way round. */
async function save(cert: x509.X509Certificate, keys: KeyPair, certFile: string, keyFile: string): Promise<void> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }) as string;
  writePrivate(keyFile, pem);
  writePrivate(certFile, `${cert.toString('pem')}\n`);
}

function writePrivate(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
