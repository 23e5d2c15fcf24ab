import { KEY_CASES } from './all-cases.ts';
import { type Expected, expectedOn, KEY_SHAPES, type KeyCase, PAIRS, type Pair, runsOn } from './key-case.ts';

const SERVERS = { mysql56: 'MySQL 5.6', mysql: 'MySQL 9.7', mariadb: 'MariaDB 10.11' } as const;

const LEAD = `## Key shapes

Each line is a case: tables, rows and transactions, which go through batch former, Transform and Load of real servers as one
batch and as a batch a transaction, with FULL row images, and among the long tests with MINIMAL and NOBLOB and cut at every
boundary. *Equal* means that afterwards every byte of the tables is the same and the ledger is empty. FULL_NODUP, which no
server here writes, is read from images built by hand.

- What cannot be folded to the net change per key for sure is written in the source's order: keys that change in tables that
  others point to, values that foreign keys point to, unique values that move between rows, checks that are off for some
  changes only, triggers. What only the server can compare (collations, prefixes, expressions) it may refuse once: then the
  batch is undone and written in the source's order.
- Rows without a key are found by all their columns; of rows that are the same in every column, one is taken.
- Of REPLACE of a row that others point to, MySQL 9.6 and later keep those; Holt makes the target do so, too. An ordinary deletion
  cascades there as its foreign keys say.
- Keys need not be the same at both sides. Rows that are one to the target's key and two to the source's go to the ledger.
`;

/** The part of docs/types.md on keys, as Markdown. */
export function keyShapesSection(): string {
  const lines = [LEAD];
  for (const shape of KEY_SHAPES) {
    lines.push(`### ${shape[0]?.toUpperCase()}${shape.slice(1)}`, '');
    lines.push(`| case | ${PAIRS.map(nameOf).join(' | ')} |`, `|---|${PAIRS.map(() => '---').join('|')}|`);
    for (const one of KEY_CASES.filter((candidate) => candidate.shape === shape))
      lines.push(
        `| ${one.title.replaceAll('|', '\\|')} | ${PAIRS.map((pair) => cell(one, pair)).join(' | ')} |`,
      );
    lines.push('');
  }
  return lines.join('\n');
}

function nameOf({ source, target }: Pair): string {
  return `${SERVERS[source]} → ${SERVERS[target]}`;
}

function cell(one: KeyCase, pair: Pair): string {
  return runsOn(one, pair) ? textOf(expectedOn(one, pair)) : 'has none';
}

function textOf(expected: Expected): string {
  switch (expected.kind) {
    case 'equal':
      return 'equal';
    case 'ledger':
      return `ledger: ${expected.entries.join(', ')}`;
    case 'refused':
      return `refused: \`${expected.code}\``;
    default:
      return expected satisfies never;
  }
}
