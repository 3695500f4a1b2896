import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { type SourceFile, lineOf } from './source-files.js';

/** A breach, with where it is and how to mend it. */
export type Breach = string;
type Rule = (files: readonly SourceFile[]) => Breach[];

const MOST_LINES = 300;
const MOST_FUNCTION_LINES = 70;
/** What each layer may import; a feature also imports features, along the arrows of docs/ARCHITECTURE.md. */
const MAY_IMPORT: Record<string, readonly string[]> = { kernel: ['kernel'], adapters: ['kernel'], features: ['kernel', 'adapters', 'features'], 'apps/local': ['kernel'] };
/** Adapters whose tables live in the own PostgreSQL: outbox and inbox beside the relay, replication's own state. */
const ON_POSTGRES = ['libs/adapters/kafka/', 'libs/adapters/replication/'];
/** Libraries that have one home each. */
const HOMES: readonly { readonly library: RegExp; readonly homes: readonly string[] }[] = [
  { library: /^(kafkajs)$/, homes: ['libs/adapters/kafka/', 'apps/local/', 'test/'] },
  { library: /^(typeorm)$/, homes: ['libs/adapters/postgres/'] },
  { library: /^(pg)$/, homes: ['libs/adapters/postgres/', 'libs/adapters/replication/', 'libs/adapters/kafka/relay-lock.ts', 'apps/local/', 'test/'] },
  { library: /^(ioredis)$/, homes: ['libs/adapters/redis/', 'apps/local/', 'test/'] },
  { library: /^(axios|cockatiel)$/, homes: ['libs/adapters/peer-client/'] },
  { library: /^@node-rs\/argon2$/, homes: ['libs/adapters/hashing/'] },
  { library: /^(@nestjs\/.*|fastify)$/, homes: ['apps/region/'] },
  { library: /^@prometheus-io\/client$/, homes: ['libs/features/status/'] },
  { library: /^nodemailer$/, homes: ['libs/adapters/channels/'] },
  { library: /^libphonenumber-js/, homes: ['libs/kernel/routing/'] },
];
const VAGUE_FOLDERS = /(^|\/)(common|shared|utils?|helpers?|core|misc)(\/|$)/;
/** Files that are run or read by name, not imported. */
const ENTRIES = [/^apps\/(region|local)\/main\.ts$/, /^apps\/local\/regions\.ts$/, /^test\/run\.ts$/, /^test\/(bench|api|faults\/drill)\/main\.ts$/, /\.spec\.ts$/, /^test\/regions\/harness\/two-regions\.ts$/, /-(worker|child)\.ts$/];

export const rules: Record<string, Rule> = {
  'imports point down': (files) => files.flatMap((file) => file.imports.flatMap(({ specifier, line }) => {
    const layer = layerOf(file.path);
    const target = /^#(kernel|adapters|features)\//.exec(specifier)?.[1];
    const allowed = layer === undefined ? undefined : MAY_IMPORT[layer];
    if (target === undefined || allowed === undefined || allowed.includes(target)) return [];
    if (specifier === '#adapters/postgres' && ON_POSTGRES.some((prefix) => file.path.startsWith(prefix))) return [];
    return [`${file.path}:${line} imports ${specifier}: ${layer} may import ${allowed.join(', ')} only; move what is needed down, or pass it in`];
  })),

  'a layer is entered by its prefix and index': (files) => files.flatMap((file) => file.imports.flatMap(({ specifier, line }) => {
    const target = specifier.startsWith('.') ? normalize(join(dirname(file.path), specifier)) : undefined;
    const [from, to] = [moduleOf(file.path), target === undefined ? undefined : moduleOf(target)];
    if (from === undefined || to === undefined || from === to) return [];
    if (from.startsWith('libs/features/') && to.startsWith('libs/features/') && target!.endsWith('/index.js')) return [];
    return [`${file.path}:${line} reaches into ${to}: import its index by prefix`];
  })),

  'features import features without circles': (files) => circles(files),

  'a library stays in its home': (files) => files.flatMap((file) => file.imports.flatMap(({ specifier, line }) => {
    const home = HOMES.find(({ library }) => library.test(specifier));
    // A limit that something is measured beside is the bare library.
    if (home === undefined || file.path.startsWith('test/bench/limits/') || home.homes.some((prefix) => file.path.startsWith(prefix)) || typeOnly(file, line)) return [];
    return [`${file.path}:${line} imports ${specifier}: its home is ${home.homes[0]}; call what that adapter offers`];
  })),

  'the environment is read in config.ts': (files) => files.filter(({ path }) => !path.endsWith('/config.ts') && !path.startsWith('test/tidy/')).flatMap((file) =>
    /process\.env\b/.test(file.text) ? [`${file.path} reads process.env: read it in the config.ts beside it and pass the value`] : []),

  'every file is imported by another': (files) => {
    const imported = new Set(files.flatMap((file) => file.imports.map(({ specifier }) => resolveImport(file.path, specifier))));
    return files.filter(({ path }) => !imported.has(path) && !ENTRIES.some((entry) => entry.test(path))).map(({ path }) => `${path} is imported by nobody: delete it, or use it`);
  },

  [`files have at most ${MOST_LINES} lines`]: (files) => files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1;
    return lines > MOST_LINES ? [`${path} has ${lines} lines: split it where its parts have names`] : [];
  }),

  [`functions have at most ${MOST_FUNCTION_LINES} lines`]: (files) => files.flatMap((file) => longFunctions(file)),

  'no folder has a vague name': (files) => [...new Set(files.map(({ path }) => dirname(path)))].filter((folder) => VAGUE_FOLDERS.test(folder)).map((folder) => `${folder}: name it by what it holds`),

  'no test is skipped, alone or expected to fail': (files) => files.flatMap(({ path, text }) =>
    path.endsWith('.spec.ts') && /\b(it|test|describe)\.(skip|only|todo|fails)\b/.test(text) ? [`${path} has a test that is skipped, alone or expected to fail: mend it or delete it`] : []),

  'nothing stands in for a real part': (files) => files.flatMap(({ path, text }) =>
    !path.startsWith('test/tidy/') && /vi\.mock\(|ioredis-mock|pg-mem/.test(text) ? [`${path} mocks a part: test it against the real one`] : []),

  'comments carry @NOTE and @TODO only': (files) => files.flatMap(({ path, text }) =>
    !path.startsWith('test/tidy/') && /\b(FIXME|XXX|HACK)\b/.test(text) ? [`${path} has a marker: mend it, or write @NOTE or @TODO with a full sentence`] : []),
};

function layerOf(path: string): string | undefined {
  if (path.startsWith('apps/local/')) return 'apps/local';
  return /^libs\/(kernel|adapters|features)\//.exec(path)?.[1];
}

/** The folder that is one module: libs/<layer>/<name>, or an app. */
function moduleOf(path: string): string | undefined {
  return /^(libs\/[^/]+\/[^/]+|apps\/[^/]+)\//.exec(path)?.[1];
}

function resolveImport(from: string, specifier: string): string {
  const prefixed = /^#(kernel|adapters|features)\/(.+)$/.exec(specifier);
  if (prefixed) return `libs/${prefixed[1]}/${prefixed[2]}/index.ts`;
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)).replace(/\.js$/, '.ts') : specifier;
}

function typeOnly(file: SourceFile, line: number): boolean {
  return /^\s*(import|export) type\b/.test(file.text.split('\n')[line - 1] ?? '');
}

function circles(files: readonly SourceFile[]): Breach[] {
  const arrows = new Map<string, Set<string>>();
  for (const { path, imports } of files) {
    const from = moduleOf(path);
    if (!from?.startsWith('libs/features/')) continue;
    const targets = imports.filter(({ specifier }) => !typeOnlySpecifier(files, path, specifier)).map(({ specifier }) => moduleOf(resolveImport(path, specifier)));
    for (const to of targets) if (to?.startsWith('libs/features/') && to !== from) arrows.set(from, (arrows.get(from) ?? new Set()).add(to));
  }
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    [...(arrows.get(from) ?? [])].some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
  return [...arrows.keys()].filter((feature) => reaches(feature, feature)).map((feature) => `${feature} imports itself through others: move what both need into one of them, or pass it in`);
}

function typeOnlySpecifier(files: readonly SourceFile[], path: string, specifier: string): boolean {
  const file = files.find((candidate) => candidate.path === path)!;
  return file.imports.filter((entry) => entry.specifier === specifier).every(({ line }) => typeOnly(file, line));
}

function longFunctions(file: SourceFile): Breach[] {
  const breaches: Breach[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body && !isWholeSpec(file, node)) {
      const start = file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line;
      const end = file.tree.getLineAndCharacterOfPosition(node.getEnd()).line;
      if (end - start + 1 > MOST_FUNCTION_LINES) breaches.push(`${file.path}:${lineOf(file.tree, node)} a function has ${end - start + 1} lines: give its parts names`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file.tree);
  return breaches;
}

/** The callback of a `describe` is a list of tests, not a function that does something. */
function isWholeSpec(file: SourceFile, node: ts.Node): boolean {
  const call = node.parent;
  return file.path.startsWith('test/') && ts.isCallExpression(call) && /^describe\b/.test(call.expression.getText(file.tree));
}
