import { request } from 'node:http';

/** A region with millions of rows takes its time; the runtime has its own bound below this. */
const REBUILD_MS = 900_000;
const DEFAULT_CONTROL = 4000;

const USAGE = `Usage: npm run regions -- rebuild REGION [--port-base N]
  rebuild REGION     a region that lost its disks comes back as its next incarnation, from the other regions' copies
  --port-base N      as given to npm start (default ${DEFAULT_CONTROL})`;

/** Asks the control of the running deployment. @throws Error with what to tell the person */
async function main(argv: readonly string[]): Promise<void> {
  const [command, region, flag, port] = argv;
  const control = flag === undefined ? DEFAULT_CONTROL : Number(port);
  if (command !== 'rebuild' || region === undefined || (flag !== undefined && flag !== '--port-base') || !Number.isInteger(control)) throw new Error(USAGE);
  process.stdout.write(`rebuilding ${region} from the other regions; what is left of its data is forgotten\n`);
  const answer = await post(control, `/regions/${encodeURIComponent(region)}/rebuild`);
  process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n${region} serves again\n`);
}

function post(port: number, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', timeout: REBUILD_MS }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error((JSON.parse(text) as { detail?: string }).detail ?? text))));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('the region was not rebuilt in time; its /health/ready says why')));
    asked.on('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ECONNREFUSED' ? new Error(`no deployment runs here (nothing listens on 127.0.0.1:${port}): npm start, then again`) : error));
    asked.end();
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
