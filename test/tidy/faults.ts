import ts from 'typescript';
import type { SourceFile } from './source-files.js';

/** The rows of the fault table, each of which a spec keeps. */
export const FAULTS: readonly number[] = Array.from({ length: 40 }, (_, index) => index + 1);

const TITLE = /^faults ((?:\d+, )*\d+): ./;

/** The rows that a spec says it keeps: in titles `faults 13, 14: …` of its `describe` and `it`. */
export function rowsKeptBy(file: SourceFile): number[] {
  const rows = new Set<number>();
  const visit = (node: ts.Node): void => {
    const title = ts.isCallExpression(node) && /^(describe|it)\b/.test(node.expression.getText(file.tree)) ? textOf(node.arguments[0]) : undefined;
    for (const row of TITLE.exec(title ?? '')?.[1]!.split(', ') ?? []) rows.add(Number(row));
    ts.forEachChild(node, visit);
  };
  visit(file.tree);
  return [...rows].sort((a, b) => a - b);
}

/** What stands before the first placeholder where the title has any. */
function textOf(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.head.text : undefined;
}
