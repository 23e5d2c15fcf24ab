import type { DdlPolicyKind } from '../../model/ddl.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import { sqlReadings } from './sql-tokens.ts';

const BY_WORDS: readonly (readonly [RegExp, DdlPolicyKind])[] = [
  [/^CREATE (OR REPLACE )?TABLE /, 'create-table'],
  [/^ALTER ((ONLINE|OFFLINE|IGNORE) )*TABLE /, 'alter-table'],
  [/^DROP (TABLE|TABLES) /, 'drop-table'],
  [/^RENAME (TABLE|TABLES) /, 'rename-table'],
  [/^TRUNCATE /, 'truncate'],
  [/^CREATE ((OR|REPLACE|UNIQUE|FULLTEXT|SPATIAL|VECTOR|ONLINE|OFFLINE) )*INDEX /, 'create-index'],
  [/^DROP ((ONLINE|OFFLINE) )?INDEX /, 'drop-index'],
  [/^(CREATE|ALTER|DROP) (OR REPLACE )?SEQUENCE /, 'sequence'],
  [/^DROP (DATABASE|SCHEMA) /, 'drop-database'],
  [/^CREATE (DATABASE|SCHEMA) /, 'create-database'],
  [/^ALTER (DATABASE|SCHEMA) /, 'alter-database'],
];

const WORDS = 8;

/** By its first words; `other` where they say nothing, or can be read in two ways. */
export function ddlKindOf(statement: SourceStatement): DdlPolicyKind {
  const kinds = new Set(
    sqlReadings(statement).map((tokens) => {
      const head = tokens
        .slice(0, WORDS)
        .map(({ text }) => text.toUpperCase())
        .join(' ');
      return BY_WORDS.find(([words]) => words.test(`${head} `))?.[1] ?? 'other';
    }),
  );
  const [only] = kinds;
  return kinds.size === 1 && only !== undefined ? only : 'other';
}
