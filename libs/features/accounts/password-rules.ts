import { dictionary } from '@zxcvbn-ts/language-common';
import { WeakPasswordError } from '#kernel/problems';

/** At least 64 must be accepted (NIST SP 800-63B); four times that is a long sentence, and hashing stays quick. */
const mostCharacters = 256;
/** Beyond it a text is refused before it is normalised, so that a 64 KiB body costs nothing; no 256 characters need more code units. */
const mostRawLength = 8_192;
/** So many digits around a part of the identifier don't make it less guessable. */
const fewExtraCharacters = 4;
/** Shorter parts of an identifier occur in good passwords by chance. */
const leastPartLength = 4;
/** Some 49,000 passwords from leaks in order of how often they occur, lower case; no network, no scoring of long inputs. */
const common: ReadonlySet<string> = new Set(dictionary['passwords-common']);

/**
 * The form of a password that is checked and hashed: NFC, so that the same characters typed on two keyboards are one password. Not NFKC, which would
 * make different characters the same.
 */
export function canonicalPassword(password: string): string {
  return password.normalize('NFC');
}

/**
 * Throws WeakPasswordError, its reason fit for the user, when a password has fewer than `minLength` or more than 256 characters (code points), is one
 * of the commonest, or is made of the account's own identifier (normalised). There are no rules of composition.
 */
export function checkPassword(password: string, identifier: string, minLength = 8): void {
  if (password.length > mostRawLength) throw new WeakPasswordError(tooLong);
  if (!password.isWellFormed()) throw new WeakPasswordError('The password has characters that are not valid Unicode');
  const canonical = canonicalPassword(password);
  const characters = [...canonical];
  if (characters.length < minLength) throw new WeakPasswordError(`The password needs at least ${minLength} characters`);
  if (characters.length > mostCharacters) throw new WeakPasswordError(tooLong);
  const lower = canonical.toLowerCase();
  if (common.has(lower)) throw new WeakPasswordError('The password is one of the commonest');
  if (isMadeOf(lower, identifier)) throw new WeakPasswordError('The password is made of the identifier');
}

/**
 * Whether a text can be anybody's password at all, by the rules that no deployment can loosen. What can't be is refused as
 * malformed where it is presented: no account has it, so nobody need be asked.
 */
export function couldBePassword(text: string): boolean {
  if (text === '' || text.length > mostRawLength || !text.isWellFormed()) return false;
  return [...canonicalPassword(text)].length <= mostCharacters;
}

const tooLong = `The password may have at most ${mostCharacters} characters`;

/** Compared without case and without signs: a part of the identifier, forwards or backwards, with a few characters around it, or a piece of it. */
function isMadeOf(lower: string, identifier: string): boolean {
  const plain = lettersAndDigits(lower);
  const whole = lettersAndDigits(identifier);
  if (plain.length >= leastPartLength && (whole.includes(plain) || reversed(whole).includes(plain))) return true;
  return partsOf(identifier).some((part) => isMostOf(plain, part) || isMostOf(plain, reversed(part)));
}

/** The part with nothing but a few digits around it (`alice2024`), or two characters of any kind. */
function isMostOf(plain: string, part: string): boolean {
  const at = plain.indexOf(part);
  if (at < 0) return false;
  const extra = plain.slice(0, at) + plain.slice(at + part.length);
  return extra.length <= 2 || (extra.length <= fewExtraCharacters && /^\p{N}*$/u.test(extra));
}

/**
 * What people take from their own identifier: of an address all of it, or what is before the @ (also without its plus tag); of a phone number also its last digits, since at home it is written without the country's code.
 */
function partsOf(identifier: string): string[] {
  const at = identifier.lastIndexOf('@');
  const localPart = identifier.slice(0, Math.max(at, 0));
  const ofPhone = [identifier, identifier.slice(-10), identifier.slice(-8)];
  const ofEmail = [identifier, localPart, localPart.split('+')[0]!];
  const parts = at < 0 ? ofPhone : ofEmail;
  return parts.map(lettersAndDigits).filter((part) => part.length >= leastPartLength);
}

function lettersAndDigits(text: string): string {
  return text.replace(/[^\p{L}\p{N}]/gu, '');
}

function reversed(text: string): string {
  return [...text].reverse().join('');
}
