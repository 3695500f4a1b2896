import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

const ROOT = new URL('../../', import.meta.url).pathname;
const FOLDERS = ['apps', 'libs', 'test'];

/** One TypeScript file of the repository, parsed once for all rules. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  /** Module specifiers as written, with their lines. */
  readonly imports: readonly { readonly specifier: string; readonly line: number }[];
}

export function sourceFiles(): SourceFile[] {
  return FOLDERS.flatMap((folder) => walk(join(ROOT, folder))).map(parse);
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : walk(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

function parse(path: string): SourceFile {
  const text = readFileSync(path, 'utf8');
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: { specifier: string; line: number }[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(tree, node) });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { path: relative(ROOT, path), text, tree, imports };
}

function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) return node.moduleSpecifier.text;
  const dynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
  if (dynamic && ts.isStringLiteral(dynamic)) return dynamic.text;
  // A file that is run as a process or a worker is named by its URL.
  const url = ts.isNewExpression(node) && node.expression.getText() === 'URL' ? node.arguments?.[0] : undefined;
  return url && ts.isStringLiteral(url) && /^\.{1,2}\/.*\.js$/.test(url.text) ? url.text : undefined;
}

export function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}
