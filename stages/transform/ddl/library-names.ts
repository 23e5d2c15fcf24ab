/**
 * Where a parser library (sqlparser-rs by way of @guanmingchiu/sqlparser-ts, WebAssembly) finds names in a statement.
 *
 * The library knows nothing of sql_mode, character sets and comments that are executed: it gets the tokens, one space between two,
 * texts and quoted names replaced by short ones. Its answers are places in that line, so that each leads back to a token.
 */
import { init, parse } from '@guanmingchiu/sqlparser-ts';
import type { SqlToken } from '../../select/sql-tokens.ts';
import { RESERVED } from './token-cursor.ts';

// Compiling the module takes 0.1 s, once, when this is loaded; parsing is synchronous from then on.
await init();

/** Numbers of tokens. */
export interface LibraryTable {
  readonly schema: number | null;
  readonly table: number;
  readonly inQuery: boolean;
  readonly hasAlias: boolean;
}

export interface LibraryNames {
  readonly statement: string;
  readonly tables: readonly LibraryTable[];
  /** Columns outside queries. */
  readonly columns: readonly number[];
  /** The query has WITH, or columns with schema and table before them, so that more than tables would have to be mapped. */
  readonly intricate: boolean;
}

/** Longer statements are not given to the library: it works on the thread that answers ZooKeeper. */
const MAX_TOKENS = 2000;

/** Null where the library cannot parse it, or reads it as no server would. */
export function namesByLibrary(tokens: readonly SqlToken[]): LibraryNames | null {
  if (tokens.length > MAX_TOKENS) return null;
  const line = lineOf(tokens);
  let statements: unknown;
  try {
    statements = parse(line.text, 'mysql');
  } catch {
    return null;
  }
  if (!Array.isArray(statements) || statements.length !== 1) return null;
  const walker = new SyntaxWalker(line.tokenAt, tokens);
  try {
    walker.walk(statements[0]);
  } catch (error) {
    if (error instanceof Misread) return null;
    throw error;
  }
  return walker.names;
}

function lineOf(tokens: readonly SqlToken[]): { text: string; tokenAt: ReadonlyMap<number, number> } {
  const tokenAt = new Map<number, number>();
  const parts: string[] = [];
  let length = 0;
  let end = -1;
  for (const [index, token] of tokens.entries()) {
    // Symbols of more than one character are more than one token here; x'00' and _utf8'…' stand close as well.
    const close = token.start === end;
    const part = partOf(token);
    if (!close && length > 0) {
      parts.push(' ');
      length += 1;
    }
    tokenAt.set(length + 1, index);
    parts.push(part);
    length += part.length;
    end = token.end;
  }
  return { text: parts.join(''), tokenAt };
}

function partOf(token: SqlToken): string {
  switch (token.kind) {
    case 'text':
      return "'00'";
    case 'name':
      return '`n`';
    case 'either':
      return '"n"';
    case 'word':
      return /^[\w$]+$/.test(token.text) ? token.text : '`n`';
    default:
      return token.text;
  }
}

/** The library names what is no name: it has taken the statement for another. */
class Misread extends Error {}

type Node = Readonly<Record<string, unknown>>;

/** Keys under which the name of a table stands, by the syntax node that has them. */
const TABLE_KEYS: Readonly<Record<string, readonly string[]>> = {
  CreateTable: ['name'],
  AlterTable: ['name'],
  CreateView: ['name'],
  AlterView: ['name'],
  Table: ['name'],
  Plain: ['name'],
  Parenthesized: ['name'],
  Truncate: ['name'],
  CreateIndex: ['table_name'],
  ForeignKey: ['foreign_table'],
  Drop: ['names', 'table'],
  RenameTable: ['old_name', 'new_name', 'To', 'As'],
};

/** Keys under which the name of a column stands, or several. */
const COLUMN_KEYS: Readonly<Record<string, readonly string[]>> = {
  CreateTable: ['name'],
  AddColumn: ['name'],
  DropColumn: ['column_names'],
  ChangeColumn: ['old_name', 'new_name'],
  ModifyColumn: ['col_name'],
  RenameColumn: ['old_column_name', 'new_column_name'],
  AlterColumn: ['column_name'],
  ForeignKey: ['columns', 'referred_columns'],
};

const SKIPPED = new Set([
  ...[
    'data_type',
    'table_options',
    'Collation',
    'CharacterSet',
    'select_token',
    'end_token',
    'alias',
    'with_options',
  ],
  ...['partitions', 'index_hints', 'name_before_not_exists', 'db_name', 'params'],
]);

class SyntaxWalker {
  readonly #tokenAt: ReadonlyMap<number, number>;
  readonly #tokens: readonly SqlToken[];
  readonly #tables: LibraryTable[] = [];
  readonly #columns: number[] = [];
  #statement = '';
  #intricate = false;

  constructor(tokenAt: ReadonlyMap<number, number>, tokens: readonly SqlToken[]) {
    this.#tokenAt = tokenAt;
    this.#tokens = tokens;
  }

  get names(): LibraryNames {
    return {
      statement: this.#statement,
      tables: this.#tables,
      columns: this.#columns,
      intricate: this.#intricate,
    };
  }

  walk(statement: unknown): void {
    if (!isNode(statement)) return;
    const [kind] = Object.keys(statement);
    this.#statement = kind ?? '';
    this.#visit(statement, '', false);
  }

  #visit(node: unknown, variant: string, inQuery: boolean): void {
    if (Array.isArray(node)) {
      for (const one of node) this.#visit(one, variant, inQuery);
      return;
    }
    if (!isNode(node)) return;
    for (const [key, value] of Object.entries(node)) {
      if (value === null || value === undefined || SKIPPED.has(key)) continue;
      this.#child(node, key, value, variant, inQuery);
    }
  }

  #child(node: Node, key: string, value: unknown, variant: string, inQuery: boolean): void {
    if (key === 'Identifier' || key === 'CompoundIdentifier') {
      this.#reference(value, inQuery);
      return;
    }
    if (key === 'with') this.#intricate = true;
    const inner = inQuery || key === 'query' || key === 'subquery';
    if (key === 'After' && !inQuery) {
      this.#column(value);
      return;
    }
    // DROP INDEX and DROP DATABASE have names as well.
    const isTable = key !== 'names' || node.object_type === 'Table' || node.object_type === 'View';
    if (isTable && TABLE_KEYS[variant]?.includes(key) === true && this.#table(node, value, inner)) return;
    if (key === 'names') return;
    if (!inner && COLUMN_KEYS[variant]?.includes(key) === true && this.#column(value)) return;
    // A function's name, an index's name.
    if (key === 'name' || key === 'index_name') return;
    this.#visit(value, /^[A-Z]/.test(key) && !/^(?:To|As)$/.test(key) ? key : variant, inner);
  }

  /** One name of a table, or a list of them; false where it is something else. */
  #table(node: Node, value: unknown, inQuery: boolean): boolean {
    if (!Array.isArray(value)) return false;
    if (value.length > 0 && value.every((one) => Array.isArray(one)))
      return value.every((one) => this.#table(node, one, inQuery));
    const parts = value.map((one) => (isNode(one) ? this.#token(one.Identifier) : null));
    if (parts.length === 0 || parts.length > 2 || parts.includes(null)) return false;
    const [first, second] = parts;
    if (first === undefined || first === null) return false;
    this.#tables.push({
      schema: second === undefined ? null : first,
      table: second ?? first,
      inQuery,
      hasAlias: node.alias !== undefined && node.alias !== null,
    });
    return true;
  }

  #column(value: unknown): boolean {
    if (Array.isArray(value)) return value.every((one) => this.#column(one));
    const token = this.#token(value);
    if (token === null) return false;
    this.#columns.push(token);
    return true;
  }

  #reference(value: unknown, inQuery: boolean): void {
    const parts = (Array.isArray(value) ? value : [value]).map((one) => this.#token(one));
    if (inQuery) {
      if (parts.length > 2) this.#intricate = true;
      return;
    }
    const last = parts.at(-1);
    if (last !== undefined && last !== null) this.#columns.push(last);
  }

  /** The token at which an identifier stands. */
  #token(value: unknown): number | null {
    if (!isNode(value) || typeof value.value !== 'string') return null;
    const span = value.span;
    const start = isNode(span) ? span.start : null;
    const column = isNode(start) ? start.column : null;
    const index = typeof column === 'number' ? this.#tokenAt.get(column) : undefined;
    const token = index === undefined ? undefined : this.#tokens[index];
    if (index === undefined || token === undefined) throw new Misread();
    if (
      token.kind === 'word' ? RESERVED.has(token.text.toUpperCase()) : !/^(?:name|either)$/.test(token.kind)
    )
      throw new Misread();
    return index;
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
