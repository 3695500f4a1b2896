import { domainToASCII } from 'node:url';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { InvalidIdentifierError } from '#kernel/problems';

/**
 * The version of the rules below, stored with every account and sent with it, the same in every region. Any change that makes another text of some
 * input needs a new number and a plan for the accounts that exist, because the slot (and so the home) is computed from the text.
 */
export const NORMALIZATION_VERSION = 1;

/** RFC 5321, 4.5.3.1: the limits of a mailbox, in octets. */
const maxLocalPartBytes = 64;
const maxAddressBytes = 254;
/** RFC 1035: a label of a domain name. */
const maxLabelLength = 63;
/** Longer inputs are refused before any work; no valid identifier is near it, even written with decomposed accents. */
const maxRawLength = 1_024;

/** ITU-T E.164: a + and at most 15 digits. */
const longestE164 = 16;

/** What people write between digits; anything else (an extension, a second number, letters) is refused instead of guessed. */
const phoneForm = /^\+[\d\p{Zs}().\p{Pd}]{3,40}$/u;
/** RFC 5322 dot-atom, with the letters, marks, digits and symbols beyond ASCII that RFC 6531 adds. */
const localPartForm = /^[a-z0-9!#$%&'*+/=?^_`{|}~\-\u{a0}-\u{10ffff}]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~\-\u{a0}-\u{10ffff}]+)*$/u;
/** Control, format, private, unassigned characters, lone surrogates and every kind of space: invisible twins of an address. */
const invisible = /[\p{C}\p{Z}]/u;
/** node's domainToASCII reads a URL host: it would cut off what follows these or decode it. */
const notInDomain = /[\p{Cc}\p{Z}/\\?#:@%[\]<>^|]/u;
const labelForm = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * The one form of an identifier that is stored, hashed into a slot and compared: a phone number as E.164, an e-mail address trimmed, NFC, lower case,
 * its domain in ASCII, dots and plus tags kept. Normalising a normalised identifier changes nothing (test/unit/routing/identifier.spec.ts).
 * Throws InvalidIdentifierError, whose message is fit for a client and doesn't repeat the input.
 */
export function normalizeIdentifier(raw: string): { identifier: string; kind: 'phone' | 'email' } {
  if (raw.length > maxRawLength) throw new InvalidIdentifierError('is too long');
  const trimmed = raw.trim();
  return trimmed.includes('@') ? { identifier: normalizeEmail(trimmed), kind: 'email' } : { identifier: normalizePhone(trimmed), kind: 'phone' };
}

/**
 * A phone number in international form that is possible: its calling code exists and its length is right there. Whether a range is in use changes with
 * every release of the metadata, so two regions on different releases would disagree about it; whether a number exists, a message to it tells.
 */
function normalizePhone(trimmed: string): string {
  if (!trimmed.startsWith('+')) {
    throw new InvalidIdentifierError('must be an e-mail address, or a phone number in international form, which begins with + and the country code');
  }
  if (!phoneForm.test(trimmed)) throw new InvalidIdentifierError('must be a phone number of digits, spaces, dots, dashes and parentheses after the +');
  const phone = parsePhoneNumberFromString(trimmed, { extract: false });
  if (phone === undefined || !phone.isPossible() || phone.number.length > longestE164) throw new InvalidIdentifierError('is not a possible phone number');
  return phone.number;
}

function normalizeEmail(trimmed: string): string {
  const at = trimmed.lastIndexOf('@');
  const localPart = trimmed.slice(0, at).normalize('NFC').toLowerCase().normalize('NFC');
  if (!localPartForm.test(localPart) || invisible.test(localPart) || !localPart.isWellFormed()) {
    throw new InvalidIdentifierError('is not an e-mail address: the part before the @ is malformed');
  }
  if (Buffer.byteLength(localPart) > maxLocalPartBytes) throw new InvalidIdentifierError('has more than 64 octets before the @');
  const identifier = `${localPart}@${normalizeDomain(trimmed.slice(at + 1))}`;
  if (Buffer.byteLength(identifier) > maxAddressBytes) throw new InvalidIdentifierError('has more than 254 octets');
  return identifier;
}

function normalizeDomain(raw: string): string {
  const domain = notInDomain.test(raw) || !raw.isWellFormed() ? '' : domainToASCII(raw.normalize('NFC')).toLowerCase();
  const labels = domain.split('.');
  const wellFormed = labels.length >= 2 && labels.every((label) => label.length <= maxLabelLength && labelForm.test(label));
  // A last label of digits is an IPv4 address, also where it was written as 0x7f.1.
  if (!wellFormed || /^\d+$/.test(labels.at(-1)!)) throw new InvalidIdentifierError('is not an e-mail address: the domain is malformed');
  return domain;
}
