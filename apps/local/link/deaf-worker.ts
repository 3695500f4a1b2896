import { createServer, type Server, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * A thread that listens and never accepts: it binds the ports with the shortest queue and then blocks itself, so that
 * whoever connects once the queues are full hangs in connecting, as on a network that loses every packet.
 */
const { ports, wake } = workerData as { ports: number[]; wake: Int32Array };
const port = parentPort!;

port.once('message', async () => {
  const early: Socket[] = [];
  try {
    const servers = await Promise.all(ports.map((one) => listen(one, early)));
    port.postMessage('listening');
    Atomics.wait(wake, 0, 0);
    for (const server of servers) server.close();
    for (const socket of early) socket.destroy();
    port.postMessage('closed');
  } catch (error) {
    port.postMessage(String(error));
  }
  port.close();
});
port.postMessage('ready');

function listen(at: number, early: Socket[]): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => undefined);
      early.push(socket);
    });
    server.once('error', reject);
    server.listen({ port: at, host: '127.0.0.1', backlog: 1 }, () => resolve(server));
  });
}
