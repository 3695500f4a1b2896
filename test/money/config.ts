/** Makes the random schedule of the money property again: the seed that a failed run printed. */
export const moneySeed = process.env['HOMEWARD_MONEY_SEED'] === undefined ? undefined : Number(process.env['HOMEWARD_MONEY_SEED']);
