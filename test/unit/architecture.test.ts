import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/inventory.ts';

/**
 * Imports point one way (design, section 9): who may import whom, by folder. The longest matching folder counts.
 * A folder may always import itself; what is in no list below is a mistake.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  model: ['lib'],
  canal: ['lib', 'model'],
  scheduler: ['lib', 'model'],
  jobs: ['lib', 'model'],
  conf: ['lib', 'model'],
  stages: ['lib', 'model', 'canal'],
  node: ['lib', 'model', 'canal', 'scheduler', 'jobs', 'conf', 'stages'],
  // The page: of the node it knows the shapes of answers, and no code (see below).
  console: ['model', 'node'],
  // Programs for people who look at Holt: they start real servers as the tests do.
  demo: ['lib', 'model', 'canal', 'scheduler', 'jobs', 'conf', 'stages', 'node', 'test/support'],
  bench: ['lib', 'model', 'canal', 'scheduler', 'jobs', 'conf', 'stages', 'node', 'test/support'],
  fuzz: [
    'lib',
    'model',
    'canal',
    'scheduler',
    'jobs',
    'conf',
    'stages',
    'node',
    'test/support',
    'test/cases',
  ],
  'test/support': ['lib', 'model', 'canal', 'scheduler', 'jobs', 'conf', 'stages', 'node', 'test/cases'],
  // Tables of cases: data, and pure functions of it.
  'test/cases': ['lib', 'model'],
};

/** Third-party code that comes with the product; the rest of package.json is for building and testing it. */
const SHIPPED = new Set(Object.keys(readPackage().dependencies));

interface Import {
  readonly from: string;
  readonly specifier: string;
}

const root = repositoryRoot();
const files = Object.keys(MAY_IMPORT).flatMap((folder) => sourcesIn(folder));
const imports = files.flatMap((from) =>
  specifiersOf(readFileSync(join(root, from), 'utf8')).map((specifier): Import => ({ from, specifier })),
);

describe('the import arrows', () => {
  it('are those of the design', () => {
    expect(imports.flatMap(({ from, specifier }) => problemOf(from, specifier) ?? [])).toEqual([]);
  });

  it('of the console to node and model bring types only, but for what has no imports itself', () => {
    const offending = sourcesIn('console').flatMap((from) =>
      valueSpecifiersOf(readFileSync(join(root, from), 'utf8')).flatMap((specifier) => {
        const target = join(dirname(from), specifier);
        if (!specifier.startsWith('.') || ruleOf(target) === 'console' || !target.endsWith('.ts')) return [];
        const further = valueSpecifiersOf(readFileSync(join(root, target), 'utf8'));
        return target.startsWith('model/') && further.length === 0 ? [] : [`${from}: ${target}`];
      }),
    );
    expect(offending).toEqual([]);
  });

  it('form no cycle between top folders', () => {
    const arrows = new Map<string, Set<string>>();
    for (const { from, specifier } of imports) {
      if (!specifier.startsWith('.')) continue;
      const source = ruleOf(from);
      const target = ruleOf(join(dirname(from), specifier));
      if (source === undefined || target === undefined || source === target) continue;
      arrows.set(source, (arrows.get(source) ?? new Set()).add(target));
    }
    expect(cycleIn(arrows)).toBeUndefined();
  });

  it('are seen in every form an import can have', () => {
    const text = `
      import { a } from './a.ts';
      import type { B } from "./b.ts";
      import {
        c,
      } from './c.ts';
      import './d.ts';
      export { e } from './e.ts';
      export * from './f.ts';
      const g = await import('./g.ts');
      // import { h } from './h.ts';
      /* import './i.ts'; */
      type J = import('./j.ts').J;
      const sentence = "taken from 'elsewhere'";
    `;
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'j'];
    expect(specifiersOf(text).toSorted()).toEqual(names.map((name) => `./${name}.ts`));
  });

  it.each([
    ['model/a.ts', '../canal/b.ts', 'model may not import canal (canal/b.ts)'],
    ['stages/a.ts', '../scheduler/b.ts', 'stages may not import scheduler (scheduler/b.ts)'],
    ['scheduler/a.ts', '../stages/b.ts', 'scheduler may not import stages (stages/b.ts)'],
    ['node/a.ts', '../test/support/b.ts', 'node may not import test/support (test/support/b.ts)'],
    ['node/a.ts', '../demo/b.ts', 'node may not import demo (demo/b.ts)'],
    ['lib/a.ts', '../scripts/b.ts', 'scripts/b.ts is in no folder that may be imported'],
    ['canal/a.ts', '@vlasky/zongji', '@vlasky/zongji is not among the dependencies of package.json'],
    ['canal/a.ts', './b.js', './b.js does not name a .ts file'],
    ['canal/a.ts', 'fs', 'fs must be written node:fs'],
    ['demo/a.ts', '../test/support/b.ts', undefined],
    ['demo/a.ts', '../node/cli/output.ts', undefined],
    ['stages/load/a.ts', '../../canal/event/b.ts', undefined],
    ['canal/a.ts', 'mysql2/promise', undefined],
    ['canal/a.ts', 'node:fs/promises', undefined],
    ['test/support/shared-servers.ts', 'vitest', undefined],
  ])('of %s to %s: %s', (from, specifier, problem) => {
    expect(problemOf(from, specifier)).toBe(problem === undefined ? undefined : `${from}: ${problem}`);
  });

  it('are told apart from a cycle', () => {
    const arrows = new Map([
      ['a', new Set(['b'])],
      ['b', new Set(['c', 'd'])],
      ['c', new Set<string>()],
    ]);
    expect(cycleIn(arrows)).toBeUndefined();
    arrows.set('d', new Set(['a']));
    expect(cycleIn(arrows)).toEqual(['a', 'b', 'd', 'a']);
  });
});

function problemOf(from: string, specifier: string): string | undefined {
  const problem = specifier.startsWith('.') ? wrongArrow(from, specifier) : wrongPackage(from, specifier);
  return problem === undefined ? undefined : `${from}: ${problem}`;
}

function wrongArrow(from: string, specifier: string): string | undefined {
  if (from.startsWith('console/') && /\.(tsx|css)$/.test(specifier)) return undefined;
  if (!specifier.endsWith('.ts')) return `${specifier} does not name a .ts file`;
  const target = join(dirname(from), specifier);
  const [source, wanted] = [ruleOf(from), ruleOf(target)];
  if (source === undefined) return 'is in no folder with a rule';
  if (wanted === undefined) return `${target} is in no folder that may be imported`;
  if (source === wanted || MAY_IMPORT[source]?.includes(wanted)) return undefined;
  return `${source} may not import ${wanted} (${target})`;
}

function wrongPackage(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (SHIPPED.has(name)) return undefined;
  if (/^(fs|net|path|os|crypto|events|stream|zlib|http|https|tls|url|util|child_process|buffer)$/.test(name))
    return `${specifier} must be written node:${specifier}`;
  // Test support, and programs that measure or ask others beside us; the page is bundled.
  if (/^(bench|console|demo|fuzz|test\/support|test\/cases)\//.test(from)) return undefined;
  return `${name} is not among the dependencies of package.json`;
}

function ruleOf(path: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((folder) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.length - a.length)[0];
}

/** What a source imports, comments aside. */
function specifiersOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const statement =
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm;
  const expression = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [...code.matchAll(statement), ...code.matchAll(expression)].flatMap(([, a, b]) => a ?? b ?? []);
}

/** Those of them that are there when it runs. */
function valueSpecifiersOf(text: string): string[] {
  return specifiersOf(text.replace(/^\s*(import|export)\s+type\b[^;]*;/gm, ''));
}

function cycleIn(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  function visit(node: string, path: readonly string[]): string[] | undefined {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of arrows.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle !== undefined) return cycle;
    }
    done.add(node);
    return undefined;
  }
  for (const node of arrows.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function sourcesIn(folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  } catch {
    return []; // not every folder of the design is there at every time
  }
  return entries
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('vite.config.ts'))
    .map((path) => relative(root, join(root, folder, path)));
}

function readPackage(): { readonly dependencies: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(join(repositoryRoot(), 'package.json'), 'utf8'));
}
