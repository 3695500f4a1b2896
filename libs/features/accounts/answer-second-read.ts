import type { Routes } from '../routes/index.js';
import type { CredentialReader, Credentials } from './credentials.js';

/** What the home answers to a second read: its word on one identifier. */
export type SecondReadAnswer = { readonly known: true; readonly credentials: Credentials } | { readonly known: false };

/**
 * The home's side of a second read, from local data only, so that it can not bounce.
 * @returns undefined where this region is not the home and so has no word to give
 */
export async function answerSecondRead(reader: CredentialReader, routes: Routes, own: string, identifier: string): Promise<SecondReadAnswer | undefined> {
  const credentials = await reader.byIdentifier(identifier);
  if (credentials !== undefined) return credentials.account.home === own ? { known: true, credentials } : undefined;
  return routes.route(identifier).home === own ? { known: false } : undefined;
}
