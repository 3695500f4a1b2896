/** What a sign-in had checked was overtaken while its session was being made: it starts over with what is known now. */
export class SupersededError extends Error {
  constructor(readonly account: string) {
    super('the credentials changed while the session was being made');
    this.name = 'SupersededError';
  }
}
