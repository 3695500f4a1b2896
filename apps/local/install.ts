import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { RuntimeFailure } from './failure.js';
import { aptInstall, canUseApt } from './install/apt.js';
import { hasKafkaJars, installKafkaJars, kafkaJarsDirectory } from './install/kafka-jars.js';
import { installPostgres, unprivilegedUser, type OsUser } from './install/postgres-binaries.js';
import { OLDEST_JAVA, findJava, findProgram } from './install/programs.js';
import { partsDirectory } from './layout.js';

/** Everything that a region's parts are started from. */
export interface Installed {
  readonly java: string;
  readonly redis: string;
  readonly kafkaJars: string;
  readonly postgres: string;
  /** Whom PostgreSQL runs as, where this process is root. */
  readonly postgresUser: OsUser | undefined;
}

interface Need {
  readonly what: string;
  readonly apt: readonly string[];
  readonly dnf: string;
  readonly brew: string;
}

const JAVA: Need = {
  what: `Java ${OLDEST_JAVA} or newer`,
  apt: ['openjdk-21-jre-headless', 'openjdk-17-jre-headless', 'default-jre-headless'],
  dnf: 'java-latest-openjdk-headless',
  brew: 'openjdk',
};
const MAVEN: Need = { what: 'Maven', apt: ['maven'], dnf: 'maven', brew: 'maven' };
const REDIS: Need = { what: 'Redis', apt: ['redis-server'], dnf: 'redis', brew: 'redis' };

/**
 * Installs what is missing of Java, Maven, Redis, Kafka's jars and PostgreSQL's programs, and says where they are.
 * Does nothing, and quickly, where all are there. @param report gets a line for each step that takes time
 * @throws RuntimeFailure, one line that says what to install and how, where it can't be done from here
 */
export async function ensureInstalled(report: (line: string) => void): Promise<Installed> {
  const parts = partsDirectory();
  const missing = await findMissing(parts);
  if (missing.length > 0) await install(missing, report);
  const java = await findJava();
  const redis = findRedis();
  const maven = findMaven();
  if (java === undefined || redis === undefined) throw new RuntimeFailure(howTo(await findMissing(parts)));
  if (!hasKafkaJars(parts)) {
    if (maven === undefined) throw new RuntimeFailure(howTo([MAVEN]));
    report('fetching Kafka from Maven Central (about 45 MB, once)');
    await installKafkaJars(parts, maven, javaHome(java));
  }
  const postgres = installPostgres(parts);
  return { java, redis, kafkaJars: join(kafkaJarsDirectory(parts), 'jars'), postgres, postgresUser: unprivilegedUser() };
}

async function findMissing(parts: string): Promise<Need[]> {
  const missing: Need[] = [];
  if ((await findJava()) === undefined) missing.push(JAVA);
  if (!hasKafkaJars(parts) && findMaven() === undefined) missing.push(MAVEN);
  if (findRedis() === undefined) missing.push(REDIS);
  return missing;
}

async function install(missing: readonly Need[], report: (line: string) => void): Promise<void> {
  if (!canUseApt()) throw new RuntimeFailure(howTo(missing));
  report(`installing ${names(missing)} with apt (once)`);
  await aptInstall(missing.map((need) => need.apt));
}

function names(needs: readonly Need[]): string {
  return needs.map((need) => need.what).join(', ');
}

/** One line that says what is missing and the command that brings it on this kind of machine. */
function howTo(needs: readonly Need[]): string {
  const missing = `${names(needs)} missing; install with: `;
  if (process.platform === 'darwin') return `${missing}brew install ${needs.map((need) => need.brew).join(' ')}`;
  if (findProgram(['dnf']) !== undefined) return `${missing}sudo dnf install ${needs.map((need) => need.dnf).join(' ')}`;
  if (existsSync('/etc/debian_version')) return `${missing}sudo apt-get install ${needs.map((need) => need.apt.at(-1)).join(' ')}`;
  return `${missing}your distribution's packages (${needs.map((need) => need.apt.at(-1)).join(', ')} in Debian)`;
}

function findRedis(): string | undefined {
  return findProgram(['redis-server', 'valkey-server']);
}

function findMaven(): string | undefined {
  return findProgram(['mvn']);
}

/** Maven asks JAVA_HOME first; where `java` isn't in PATH it must be told. */
function javaHome(java: string): string | undefined {
  const home = join(dirname(realpathSync(java)), '..');
  return existsSync(join(home, 'release')) ? home : undefined;
}
