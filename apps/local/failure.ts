/** A start or a call that can't go on, with one line for the person at the terminal; not a programmer's mistake. */
export class RuntimeFailure extends Error {
  readonly code = 'local-runtime-failure';
  override readonly name = 'RuntimeFailure';
}

/** Whether an error or a line of a log says that the disk is full. */
export function saysDiskFull(text: string): boolean {
  return /ENOSPC|No space left on device/i.test(text);
}
