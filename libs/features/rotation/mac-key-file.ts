import { readMacKeys } from '#kernel/config';
import type { MacKeyring } from '#kernel/ids';
import type { Logger } from '#kernel/telemetry';

/**
 * Follows the file of mac keys while the service runs, so that a rotation needs no restart (faults, 32). A file that can't be kept leaves the
 * keys as they are, is logged once and shown by `problem`.
 */
export class MacKeyFile {
  problem: string | undefined;
  private taken: string;

  constructor(
    private readonly path: string,
    private readonly keyring: MacKeyring,
    private readonly logger: Logger,
    atStart: ReturnType<typeof readMacKeys>,
  ) {
    this.taken = JSON.stringify(atStart);
  }

  /** Takes what stands in the file now. */
  look(): void {
    try {
      const keys = readMacKeys(this.path);
      const text = JSON.stringify(keys);
      if (text !== this.taken) {
        this.keyring.replace(keys);
        this.taken = text;
        this.logger.info({ keyIds: this.keyring.keyIds, signing: this.keyring.signingKeyId }, 'mac keys were taken from their file');
      }
      this.problem = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== this.problem) this.logger.warn({ why }, 'the file of mac keys is not taken; the keys before it stay');
      this.problem = why;
    }
  }
}
