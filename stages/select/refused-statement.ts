/** Why the pipeline stops in front of a statement, and what to do. */
import { HoltError } from '../../lib/errors.ts';
import type { RunningPosition } from '../../model/running-position.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import { changedTables, type ReplicatedTables } from './ddl.ts';
import type { RowsItem, StatementItem } from './formed-batch.ts';

const REFUSALS = {
  HOLT_DDL_ON_REPLICATED_TABLE: 'DDL that may concern a replicated table',
  HOLT_STATEMENT_FORMAT: 'a change in statement form that may concern a replicated table',
  HOLT_LOAD_DATA_STATEMENT: 'LOAD DATA in statement form that may concern a replicated table',
  HOLT_SOURCE_INCIDENT: 'the source logged an incident: changes may be missing',
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** What keeps a statement from being carried that is no row. */
export function refusalOf(statement: SourceStatement): RefusalCode {
  switch (statement.nature) {
    case 'dml':
      return 'HOLT_STATEMENT_FORMAT';
    case 'load-data':
      return 'HOLT_LOAD_DATA_STATEMENT';
    default:
      return 'HOLT_DDL_ON_REPLICATED_TABLE';
  }
}

export interface Refused {
  /** What the statement came with. */
  readonly item: RowsItem | StatementItem;
  readonly statement: SourceStatement;
  readonly code: RefusalCode;
  readonly here: RunningPosition;
  /** Null where no position says it. */
  readonly behind: RunningPosition | null;
  readonly tables: ReplicatedTables;
}

export function refusedStatement({ item, statement, code, here, behind, tables }: Refused): HoltError {
  const shown = shownStatement(statement);
  const place = `${item.start.file}:${item.start.offset}`;
  const changed = changedTables(statement, tables);
  const of = changed.length === 0 ? '' : ` (${changed.slice(0, MAX_NAMED).join(', ')})`;
  return new HoltError(code, `${REFUSALS[code]}${of} at ${place}: ${shown}`, {
    disposition: 'pause',
    remedy: `Bring the target to the same state, ${wayOn(item, behind)}, and resume.`,
    facts: {
      position: here.text,
      behind: behind?.text ?? null,
      file: item.start.file,
      offset: item.start.offset,
      schema: statement.schema,
      tables: changed.slice(0, MAX_NAMED),
      statement: shown,
    },
  });
}

function wayOn(item: RowsItem | StatementItem, behind: RunningPosition | null): string {
  if (behind !== null) return `set the position to ${behind.text}`;
  if (item.kind === 'rows') return 'set the position behind this transaction';
  // It has no GTID, so that a position cannot tell it from the transaction before.
  return 'up to and with the first transaction after it, and set the position to the GTID of that one';
}

const MAX_SHOWN = 2000;
/** Tables that a message names. */
const MAX_NAMED = 10;

/** The statement, as far as it may be shown: changes in statement form hold values of rows, so of those only the first words. */
function shownStatement(statement: SourceStatement): string {
  const text = statement.sql.toString('utf8', 0, 4 * MAX_SHOWN).trim();
  if (statement.nature === 'dml' || statement.nature === 'load-data') {
    const bare = text.replace(/^(?:\s+|\/\*(?!M?!)[\s\S]*?\*\/|--\s[^\n]*\n|#[^\n]*\n)+/, '');
    return `${/^(?:[a-z_`][\w`.$]*\s*){1,6}/i.exec(bare)?.[0].trim() ?? ''} … (${statement.sql.length} bytes)`;
  }
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
