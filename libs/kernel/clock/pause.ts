/** What a loop waits with between two rounds: a pause that `wake` ends early. */
export class Pause {
  private end: (() => void) | undefined;
  private woken = false;

  /** Waits `ms`, or until `wake`; a `wake` since the last wait counts. */
  async wait(ms: number): Promise<void> {
    if (!this.woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.end = undefined;
    this.woken = false;
  }

  wake(): void {
    this.woken = true;
    this.end?.();
  }
}
