/** argon2id, OWASP's first choice: 19 MiB, two passes, one lane; about 15 ms of processor time each. */
export const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** How a hash of these parameters begins; anything else is made anew at the next sign-in. */
export const CURRENT_PREFIX = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/** The hash of 32 random bytes that nobody knows: what the password of an unknown account is compared with, so that it takes the same time. */
export const DUMMY_HASH = '$argon2id$v=19$m=19456,t=2,p=1$BerJOh8owvJS//Yh5VKFMQ$d2bbItirgrMWbFA2dHhwSQfca54aLqx46bX4s3IMNlc';
