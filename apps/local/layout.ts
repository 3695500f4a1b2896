import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT_STATE = '/var/lib/homeward';

/** The repository: two folders above this one, three where the compiled form runs. */
export function repositoryRoot(): string {
  const above = fileURLToPath(new URL('../../', import.meta.url));
  return existsSync(join(above, 'package.json')) ? resolve(above) : resolve(above, '..');
}

export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where installed parts lie: shared by all deployments of this user's, whatever their data directory. */
export function partsDirectory(): string {
  return runsAsRoot() ? join(ROOT_STATE, 'parts') : join(repositoryRoot(), '.homeward', 'parts');
}

/** Where a deployment's state lies if nothing else was asked for. */
export function defaultDataDirectory(): string {
  return runsAsRoot() ? join(ROOT_STATE, shortHash(repositoryRoot())) : join(repositoryRoot(), '.homeward', 'data');
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/**
 * The places of one deployment. PostgreSQL's are apart, because it runs as an unprivileged user where the runtime is
 * root: below the data directory if that user can reach it, else below /var/lib/homeward.
 */
export class Layout {
  readonly data: string;
  readonly postgresRoot: string;

  constructor(data: string) {
    this.data = data;
    const reachable = !runsAsRoot() || everybodyReaches(data);
    this.postgresRoot = reachable ? join(data, 'postgres') : join(ROOT_STATE, `postgres-${shortHash(data)}`);
  }

  /** Makes the directories that everything else stands on. Only the way to PostgreSQL's is open to others. */
  create(): void {
    for (const directory of [this.data, this.postgresRoot]) {
      mkdirSync(directory, { recursive: true });
      chmodSync(directory, runsAsRoot() ? 0o711 : 0o700);
    }
    for (const directory of [this.tls, this.logs, join(this.data, 'regions')]) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
  }

  /** Forgets the deployment, but for its lock and its logs. */
  clear(): void {
    for (const path of [this.deployment, this.secrets, this.macKeys, this.tls, join(this.data, 'regions'), this.postgresRoot]) {
      rmSync(path, { recursive: true, force: true });
    }
  }

  /** Forgets one region's data; its logs stay. */
  clearRegion(region: string): void {
    for (const path of [join(this.data, 'regions', region), this.postgres(region)]) rmSync(path, { recursive: true, force: true });
  }

  get lock(): string {
    return join(this.data, 'runtime.lock');
  }
  get processes(): string {
    return join(this.data, 'processes.json');
  }
  get deployment(): string {
    return join(this.data, 'deployment.json');
  }
  get secrets(): string {
    return join(this.data, 'secrets.json');
  }
  get macKeys(): string {
    return join(this.data, 'mac-keys.json');
  }
  get tls(): string {
    return join(this.data, 'tls');
  }
  get logs(): string {
    return join(this.data, 'logs');
  }

  part(region: string, part: string): string {
    return join(this.data, 'regions', region, part);
  }

  log(region: string, part: string): string {
    return join(this.logs, `${region}-${part}.log`);
  }

  postgres(region: string): string {
    return join(this.postgresRoot, region);
  }
}

function everybodyReaches(path: string): boolean {
  let at = path;
  while (!existsSync(at)) at = dirname(at);
  for (; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0 && at !== path) return false;
    if (dirname(at) === at) return true;
  }
}
