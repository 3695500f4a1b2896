import { connect } from 'node:net';

/**
 * Connects to a local port, sends `question` and hands what comes back to `isAnswer`, until it says yes or no or
 * `deadlineMs` is over. @returns whether it said yes; never throws.
 */
export function ask(port: number, question: Buffer, isAnswer: (received: Buffer) => boolean | undefined, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), deadlineMs);
    socket.on('connect', () => socket.write(question));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const answer = isAnswer(received);
      if (answer !== undefined) end(answer);
    });
  });
}
