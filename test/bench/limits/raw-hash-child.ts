import { verify } from '@node-rs/argon2';

/** The limit of a sign-in: nothing but comparisons of a password with its hash, as many at once as the service runs. */
interface Job {
  readonly hash: string;
  readonly password: string;
  readonly atOnce: number;
  readonly seconds: number;
}

async function perSecond({ hash, password, atOnce, seconds }: Job): Promise<number> {
  const untilMs = performance.now() + seconds * 1_000;
  let done = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (performance.now() < untilMs) {
      if (!(await verify(hash, password))) throw new Error('the hash is not of this password');
      if (performance.now() < untilMs) done += 1;
    }
  }));
  return done / seconds;
}

process.on('message', (job: Job) => void perSecond(job).then((rate) => process.send!(rate)));
process.on('disconnect', () => process.exit(0));
process.send!('ready');
