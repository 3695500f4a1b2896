/** Things that one holds at a time, in the order in which they were asked for. */
export class OneAtATime {
  private readonly held = new Map<string, Promise<void>>();

  /** Waits until nobody who asked before holds any of these. @returns what gives them back */
  async hold(things: readonly string[]): Promise<() => void> {
    const before = things.map((thing) => this.held.get(thing));
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const thing of things) this.held.set(thing, promise);
    await Promise.all(before);
    return resolve;
  }
}
