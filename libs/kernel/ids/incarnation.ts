/** A region that lost its disks comes back as its next incarnation (docs/decisions/0018); the first one is 1. */
export const FIRST_INCARNATION = 1;

/** Numbers of one incarnation: 2^40, so that 8,192 incarnations fit into what JSON carries exactly. */
const NUMBERS = 2 ** 40;

/** Event numbers and versions of rows of this incarnation are higher than this, and those of every earlier one are not. */
export function numbersBelow(incarnation: number): number {
  return (incarnation - FIRST_INCARNATION) * NUMBERS;
}

/**
 * The DNS name in the certificate of a region's incarnation. Whoever expects it refuses every other incarnation on each
 * channel alike: peer HTTP, Kafka and PostgreSQL all check names. A region's name has no dot, so none is ambiguous; a name that
 * ended with a number would be taken for an address.
 */
export function serverNameOf(region: string, incarnation: number): string {
  return incarnation === FIRST_INCARNATION ? region : `i${incarnation}.${region}`;
}

/**
 * Which incarnation of `region` a certificate is of.
 * @param subjectAltName as Node tells it, such as `DNS:i2.west, DNS:localhost`
 * @returns the first incarnation where no name tells another one: then only the common name named it
 */
export function incarnationIn(subjectAltName: string | undefined, region: string): number {
  const names = (subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
  const numbers = names.flatMap((name) => {
    const [label, ...rest] = name.split('.');
    return rest.join('.') === region && /^i[1-9]\d{0,3}$/.test(label!) ? [Number(label!.slice(1))] : [];
  });
  return numbers[0] ?? FIRST_INCARNATION;
}
