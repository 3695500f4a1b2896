import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { programEnvironment } from '../config.js';
import { repositoryRoot } from '../layout.js';
import { moveInto } from './postgres-binaries.js';
import { runCommand } from './run-command.js';

/** Some 45 MB from Maven Central over a slow line. */
const DOWNLOAD_MS = 10 * 60_000;

/** Where the jars of this pom are, or will be: a changed pom means another folder. */
export function kafkaJarsDirectory(parts: string): string {
  const pom = readFileSync(join(repositoryRoot(), 'infra', 'kafka', 'pom.xml'));
  return join(parts, `kafka-${createHash('sha256').update(pom).digest('hex').slice(0, 12)}`);
}

export function hasKafkaJars(parts: string): boolean {
  return existsSync(kafkaJarsDirectory(parts));
}

/** Resolves the jars with Maven into a folder beside their place and moves them there whole. */
export async function installKafkaJars(parts: string, maven: string, javaHome: string | undefined): Promise<void> {
  mkdirSync(parts, { recursive: true });
  const fresh = mkdtempSync(join(parts, 'installing-'));
  const work = join(fresh, 'pom');
  mkdirSync(work);
  // Beside the jars: Maven writes next to the pom that it reads, and a repository may be read-only.
  copyFileSync(join(repositoryRoot(), 'infra', 'kafka', 'pom.xml'), join(work, 'pom.xml'));
  const jars = join(fresh, 'jars');
  const args = ['-q', '-B', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
  const env = programEnvironment(javaHome === undefined ? {} : { JAVA_HOME: javaHome });
  await runCommand(maven, args, { env, cwd: work, timeoutMs: DOWNLOAD_MS });
  moveInto(fresh, kafkaJarsDirectory(parts));
}
