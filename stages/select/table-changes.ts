/**
 * What a schema change makes of a table's columns, in the terms of INFORMATION_SCHEMA: enough to decode the rows that follow it in
 * the log. Not a parser of DDL: what is not understood makes the table unknown, and it is asked about again.
 *
 * Source: https://dev.mysql.com/doc/refman/9.7/en/alter-table.html, https://mariadb.com/kb/en/alter-table/
 */
import type { ChangedName, ReadTableChanges, TableChange } from '../../canal/schema/table-changes.ts';
import type { TableFacts } from '../../canal/schema/table-facts.ts';
import { collationOfCharset } from '../../canal/value/charset.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import {
  added,
  changed,
  dropped,
  isName,
  type NewColumn,
  type Place,
  renamed,
  UNKNOWN_COLLATION,
  withKey,
  withoutKey,
} from './altered-table.ts';
import { statementEffects } from './ddl.ts';
import { readSql, type SqlToken } from './sql-tokens.ts';

/** Longer statements are not looked through. */
const MAX_SQL_BYTES = 256 * 1024;

/** For the engine of a source: `canal/engine.ts`, `changes`. */
export function tableChangesOf(source: {
  readonly flavour: SqlServer['flavour'];
  readonly versionNumber: readonly number[];
}): ReadTableChanges {
  const [major = 0, minor = 0, patch = 0] = source.versionNumber;
  const server: SqlServer = { flavour: source.flavour, version: major * 10_000 + minor * 100 + patch };
  return (statement) => tableChanges(statement, server);
}

/** Null: it may change any table whose name stands in it. */
export function tableChanges(statement: SourceStatement, server: SqlServer): readonly TableChange[] | null {
  if (statement.nature !== 'ddl') return [];
  if (statement.sql.length > MAX_SQL_BYTES) return null;
  const readings = readSql(statement, server);
  const [reading] = readings;
  if (reading === undefined || readings.length > 1) return null;
  try {
    const known = new Statement(reading.tokens, statement.schema, server).read();
    if (known !== null) return known;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
  }
  return statementEffects(statement).every(({ kind }) => kind === 'none') ? [] : null;
}

class NotUnderstood extends Error {}

const BINARY = 63;
const UTF8MB4_BIN = 46;

/**
 * A label of ENUM or SET as INFORMATION_SCHEMA writes it (measured on MySQL 5.6, 9.7 and MariaDB 10.11). That of an odd label is not told here: the servers
 * drop spaces at its end where its character set is one of text, and some show no characters beyond the first plane.
 */
function label({ kind, text }: SqlToken): string {
  const isText = kind === 'text' || kind === 'either';
  if (!isText || / $|\ufffd|[\u{10000}-\u{10ffff}]/u.test(text)) throw new NotUnderstood();
  return `'${text.replace(/['\\\0\n\r]/g, (char) => SHOWN[char] ?? char)}'`;
}

const SHOWN: Readonly<Record<string, string>> = {
  "'": "''",
  '\\': '\\\\',
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
};

/** A text type's width in bytes of its length, and where a declared length leads. */
const TEXT_SIZES = ['tiny', '', 'medium', 'long'] as const;

type Alteration = (facts: TableFacts) => TableFacts | null;

class Statement {
  readonly #tokens: readonly SqlToken[];
  readonly #schema: string;
  readonly #server: SqlServer;
  #at = 0;
  /** What the table's options say; empty where it is not known, null where they say nothing. */
  #tableCharset: string | null = null;
  /** Columns that get other names, all at once: of the names in one statement, all are those before it. */
  readonly renames: (readonly [from: string, to: string])[] = [];
  /** Other columns that it speaks of: where one of them is renamed too, which one is meant is not decided here. */
  readonly touched: string[] = [];

  constructor(tokens: readonly SqlToken[], schema: string, server: SqlServer) {
    this.#tokens = tokens.at(-1)?.text === ';' ? tokens.slice(0, -1) : tokens;
    this.#schema = schema;
    this.#server = server;
  }

  /** Null for a statement of another kind. */
  read(): readonly TableChange[] | null {
    if (this.#words('TRUNCATE')) return [];
    if (this.#words('RENAME', 'TABLE') || this.#words('RENAME', 'TABLES')) return this.#renames();
    if (this.#words('ALTER')) {
      this.#anyOf('ONLINE', 'IGNORE');
      this.#anyOf('ONLINE', 'IGNORE');
      return this.#words('TABLE') ? this.#alterTable() : null;
    }
    if (this.#words('DROP')) return this.#drop();
    return this.#words('CREATE') ? this.#create() : null;
  }

  #renames(): readonly TableChange[] {
    this.#ifExists();
    const changes: TableChange[] = [];
    do {
      const name = this.#tableName();
      this.#wait();
      this.#must('TO');
      changes.push({ kind: 'rename', name, to: this.#tableName() });
    } while (this.#symbol(','));
    return changes;
  }

  #drop(): readonly TableChange[] | null {
    if (this.#words('TEMPORARY', 'TABLE')) return [];
    if (this.#words('DATABASE') || this.#words('SCHEMA')) {
      this.#ifExists();
      return [{ kind: 'drop-schema', schema: this.#name() }];
    }
    if (this.#words('TABLE') || this.#words('TABLES')) {
      this.#ifExists();
      const changes: TableChange[] = [];
      do changes.push({ kind: 'drop', name: this.#tableName() });
      while (this.#symbol(','));
      return changes;
    }
    if (!this.#words('INDEX')) return null;
    this.#ifExists();
    const key = this.#name();
    this.#must('ON');
    return [{ kind: 'alter', name: this.#tableName(), alter: (facts) => withoutKey(facts, key) }];
  }

  #create(): readonly TableChange[] | null {
    if (this.#words('OR', 'REPLACE', 'TABLE') || this.#words('TABLE')) {
      // It may be there already, as another one.
      const isSure = !this.#peekWord('IF');
      this.#ifExists();
      const name = this.#tableName();
      const start = this.#at;
      const inside = this.#symbol('(');
      if (!this.#words('LIKE')) {
        this.#at = start;
        const facts = isSure ? this.#definition() : null;
        return [facts === null ? { kind: 'unknown', name } : { kind: 'create', name, facts }];
      }
      const like = this.#tableName();
      if (inside) this.#symbol(')');
      return [{ kind: 'create-like', name, like }];
    }
    if (this.#words('TEMPORARY', 'TABLE')) return [];
    const unique = this.#words('UNIQUE');
    if (!unique) this.#anyOf('FULLTEXT', 'SPATIAL', 'VECTOR');
    if (!this.#words('INDEX')) return null;
    this.#ifExists();
    const key = this.#name();
    this.#using();
    this.#must('ON');
    const name = this.#tableName();
    if (!unique) return [];
    const columns = this.#keyColumns();
    return [{ kind: 'alter', name, alter: (facts) => withKey(facts, { name: key, ...columns }) }];
  }

  /** What stands behind CREATE TABLE and the name; null for what is not understood. */
  #definition(): TableFacts | null {
    try {
      return this.#columnsAndKeys();
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
      return null;
    }
  }

  #columnsAndKeys(): TableFacts | null {
    const columns: Alteration[] = [];
    const keys: Alteration[] = [];
    if (!this.#symbol('(')) return null;
    do {
      const isKey = ['CONSTRAINT', 'PRIMARY', 'UNIQUE'].some((word) => this.#peekWord(word));
      const step = this.#add();
      if (step === 'unknown') return null;
      if (step !== null) (isKey ? keys : columns).push(step);
    } while (this.#symbol(','));
    if (!this.#symbol(')')) return null;
    const words = this.#tokens
      .slice(this.#at)
      .flatMap(({ kind, text }) => (kind === 'word' ? [text.toUpperCase()] : []));
    // More columns, from a query; or the two of a period.
    if (words.some((word) => ['SELECT', 'TABLE', 'WITH'].includes(word))) return null;
    if (words.includes('VALUES') && !words.includes('PARTITION')) return null;
    while (this.#at < this.#tokens.length) {
      if (!this.#option()) return null;
      this.#symbol(',');
    }
    let facts: TableFacts | null = { columns: [], primaryKey: [], uniqueKeys: [], type: 'BASE TABLE' };
    if (this.#tableCharset) facts = { ...facts, charset: this.#tableCharset };
    // Keys may stand before their columns.
    for (const step of [...columns, ...keys]) if (facts !== null) facts = step(facts);
    return facts;
  }

  #alterTable(): readonly TableChange[] {
    this.#ifExists();
    const name = this.#tableName();
    this.#wait();
    const steps: Alteration[] = [];
    let to: ChangedName | null = null;
    while (this.#at < this.#tokens.length) {
      const renamed = this.#rename();
      if (renamed !== null) to = renamed;
      else {
        const step = this.#alteration();
        if (step === 'unknown') return this.#unknown(name, to);
        if (step !== null) steps.push(step);
      }
      if (!this.#symbol(',') && this.#at < this.#tokens.length) {
        // Options may follow each other without a comma; nothing else may.
        if (!this.#option()) throw new NotUnderstood();
        this.#symbol(',');
      }
    }
    const changes: TableChange[] = [];
    const { renames } = this;
    const involved = new Set(renames.flat().map((one) => one.toLowerCase()));
    if (this.touched.some((one) => involved.has(one.toLowerCase()))) return this.#unknown(name, to);
    const charset = this.#tableCharset;
    if (charset !== null) {
      // Of columns in the same statement it is not said whether they are of the former or the new one.
      if (this.touched.length > 0 || renames.length > 0) return this.#unknown(name, to);
      steps.push(({ collation: _, charset: __, ...facts }) => ({ ...facts, ...(charset && { charset }) }));
    }
    if (steps.length > 0 || renames.length > 0)
      changes.push({
        kind: 'alter',
        name,
        alter: (facts) => {
          let now: TableFacts | null = facts;
          for (const step of steps) if (now !== null) now = step(now);
          return now === null ? null : renamed(now, renames);
        },
      });
    if (to !== null) changes.push({ kind: 'rename', name, to });
    return changes;
  }

  #unknown(name: ChangedName, to: ChangedName | null): readonly TableChange[] {
    // What follows is not read any more: it might rename the table.
    if (
      to === null &&
      this.#tokens.some((token) => token.kind === 'word' && token.text.toUpperCase() === 'RENAME')
    )
      throw new NotUnderstood();
    return [{ kind: 'unknown', name }, ...(to === null ? [] : [{ kind: 'rename', name, to } as const])];
  }

  #rename(): ChangedName | null {
    const start = this.#at;
    if (!this.#words('RENAME')) return null;
    if (this.#peekWord('COLUMN') || this.#peekWord('INDEX') || this.#peekWord('KEY')) {
      this.#at = start;
      return null;
    }
    if (!this.#words('TO') && !this.#words('AS')) this.#symbol('=');
    return this.#tableName();
  }

  /** One specification: what it does to the columns and keys; null for nothing. */
  #alteration(): Alteration | 'unknown' | null {
    if (this.#words('ADD')) return this.#add();
    if (this.#words('DROP')) return this.#dropPart();
    if (this.#words('MODIFY')) {
      this.#words('COLUMN');
      this.#ifExists();
      const column = this.#column();
      this.touched.push(column.name);
      const place = this.#place();
      return (facts) => changed(facts, column.name, column, place);
    }
    if (this.#words('CHANGE')) {
      this.#words('COLUMN');
      this.#ifExists();
      const old = this.#name();
      const column = this.#column();
      const place = this.#place();
      if (isName(old, column.name)) this.touched.push(old);
      this.renames.push([old, column.name]);
      return (facts) => changed(facts, old, { ...column, name: old }, place);
    }
    if (this.#words('RENAME')) {
      if (this.#words('INDEX') || this.#words('KEY')) {
        this.#ifExists();
        const from = this.#name();
        this.#must('TO');
        const to = this.#name();
        return (facts) => ({
          ...facts,
          uniqueKeys: facts.uniqueKeys.map((key) => (isName(key.name, from) ? { ...key, name: to } : key)),
        });
      }
      this.#must('COLUMN');
      this.#ifExists();
      const from = this.#name();
      this.#must('TO');
      const to = this.#name();
      this.renames.push([from, to]);
      return (facts) => (facts.columns.some(({ name }) => isName(name, from)) ? facts : null);
    }
    if (this.#words('ALTER')) {
      // Defaults, visibility of columns and keys, CHECK constraints.
      this.#skipItem();
      return null;
    }
    if (this.#words('CONVERT')) return 'unknown';
    if (this.#option()) return null;
    throw new NotUnderstood();
  }

  #add(): Alteration | 'unknown' | null {
    if (this.#peekWord('PARTITION') || this.#peekWord('FOREIGN') || this.#peekWord('CHECK')) {
      this.#skipItem();
      return null;
    }
    if (this.#peekWord('SYSTEM') || this.#peekWord('PERIOD')) return 'unknown';
    if (this.#words('CONSTRAINT')) {
      this.#ifExists();
      if (!['PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'].some((word) => this.#peekWord(word))) this.#name();
    }
    if (this.#words('PRIMARY', 'KEY')) {
      this.#using();
      const { columns } = this.#keyColumns();
      this.touched.push(...columns);
      this.#skipItem();
      return (facts) => ({
        ...facts,
        primaryKey: columns.map((name) => facts.columns.find((one) => isName(one.name, name))?.name ?? name),
        columns: facts.columns.map((one) =>
          columns.some((name) => isName(one.name, name)) ? { ...one, nullable: false } : one,
        ),
      });
    }
    if (this.#words('UNIQUE')) {
      this.#anyOf('INDEX', 'KEY');
      this.#ifExists();
      const name = this.#symbolAhead('(') || this.#peekWord('USING') ? null : this.#name();
      this.#using();
      const key = this.#keyColumns();
      this.touched.push(...key.columns);
      this.#skipItem();
      return (facts) => withKey(facts, { name: name ?? key.columns[0] ?? '', ...key });
    }
    if (
      ['FOREIGN', 'CHECK', 'INDEX', 'KEY', 'FULLTEXT', 'SPATIAL', 'VECTOR'].some((word) =>
        this.#peekWord(word),
      )
    ) {
      this.#skipItem();
      return null;
    }
    this.#words('COLUMN');
    this.#ifExists();
    if (this.#symbol('(')) {
      const columns: NewColumn[] = [];
      do {
        if (
          ['PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK', 'INDEX', 'KEY', 'CONSTRAINT'].some((word) =>
            this.#peekWord(word),
          )
        )
          return 'unknown';
        const column = this.#column();
        this.touched.push(column.name);
        columns.push(column);
      } while (this.#symbol(','));
      if (!this.#symbol(')')) throw new NotUnderstood();
      return (facts) =>
        columns.reduce<TableFacts | null>((now, one) => now && added(now, one, { kind: 'last' }), facts);
    }
    const column = this.#column();
    this.touched.push(column.name);
    const place = this.#place() ?? { kind: 'last' as const };
    return (facts) => added(facts, column, place);
  }

  #dropPart(): Alteration | 'unknown' | null {
    if (this.#words('PRIMARY', 'KEY')) return (facts) => ({ ...facts, primaryKey: [] });
    if (this.#words('INDEX') || this.#words('KEY') || this.#words('CONSTRAINT')) {
      this.#ifExists();
      const key = this.#name();
      return (facts) => withoutKey(facts, key);
    }
    if (['PARTITION', 'FOREIGN', 'CHECK'].some((word) => this.#peekWord(word))) {
      this.#skipItem();
      return null;
    }
    if (this.#peekWord('SYSTEM') || this.#peekWord('PERIOD')) return 'unknown';
    this.#words('COLUMN');
    this.#ifExists();
    const name = this.#name();
    this.touched.push(name);
    this.#anyOf('RESTRICT', 'CASCADE');
    return (facts) => dropped(facts, name);
  }

  // ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #column(): NewColumn {
    const name = this.#name();
    const type = this.#type();
    let nullable: boolean | null = null;
    let key: 'primary' | 'unique' | null = null;
    let { unsigned, charset } = type;
    for (;;) {
      if (this.#words('NOT', 'NULL')) nullable = false;
      else if (this.#words('NULL')) nullable = true;
      else if (this.#words('UNSIGNED') || this.#words('ZEROFILL')) unsigned = true;
      else if (this.#words('SIGNED')) unsigned = false;
      else if (this.#words('PRIMARY', 'KEY')) key = 'primary';
      else if (this.#words('UNIQUE')) {
        this.#words('KEY');
        key = 'unique';
      } else if (this.#words('DEFAULT') || this.#words('ON', 'UPDATE')) this.#value();
      else if (this.#words('CHARACTER', 'SET') || this.#words('CHARSET') || this.#words('COLLATE')) {
        charset = charsetIn(this.#name()) || (charset ?? '');
      } else if (this.#words('ASCII') || this.#words('UNICODE') || this.#words('BINARY')) charset = '';
      else if (this.#words('COMMENT')) this.#take();
      else if (
        this.#words('AUTO_INCREMENT') ||
        this.#words('KEY') ||
        this.#words('VISIBLE') ||
        this.#words('INVISIBLE') ||
        this.#words('STORED') ||
        this.#words('VIRTUAL') ||
        this.#words('PERSISTENT') ||
        this.#words('ENFORCED') ||
        this.#words('GENERATED', 'ALWAYS') ||
        this.#words('COLUMN_FORMAT', 'DEFAULT') ||
        this.#words('COLUMN_FORMAT', 'DYNAMIC') ||
        this.#words('COLUMN_FORMAT', 'FIXED')
      ) {
        // Says nothing of how values are logged.
      } else if (this.#words('SRID')) this.#take();
      else if (this.#words('AS')) this.#value();
      else if (this.#words('CONSTRAINT')) {
        if (!this.#peekWord('CHECK')) this.#name();
      } else if (this.#words('CHECK')) {
        this.#value();
        this.#words('NOT');
      } else break;
    }
    const isText =
      type.collation === 0 && /^(?:char|varchar|(?:tiny|medium|long)?text|enum|set)$/.test(type.name);
    return {
      name,
      key,
      isText,
      charset,
      facts: {
        name,
        declared: `${type.name}${type.argument}${unsigned ? ' unsigned' : ''}`,
        nullable: key === 'primary' ? false : nullable,
        octetLength: type.octets,
        collation: isText ? UNKNOWN_COLLATION : type.collation,
      },
    };
  }

  #type(): {
    readonly name: string;
    readonly argument: string;
    readonly octets: bigint | null;
    /** Of what is no text. */
    readonly collation: number;
    readonly unsigned: boolean;
    /** As `NewColumn.charset`. */
    readonly charset: string | null;
  } {
    const word = this.#take();
    if (word.kind !== 'word') throw new NotUnderstood();
    let name = word.text.toLowerCase();
    let charset: string | null = null;
    if (name === 'national') {
      name = this.#take().text.toLowerCase();
      charset = '';
    }
    if (name === 'nchar' || name === 'nvarchar') charset = '';
    if (name === 'double') this.#words('PRECISION');
    if (name === 'long') {
      name = this.#words('VARBINARY') ? 'mediumblob' : 'mediumtext';
      this.#words('VARCHAR');
    }
    if ((name === 'char' || name === 'character') && this.#words('VARYING')) name = 'varchar';
    name = TYPE_NAMES[name] ?? name;
    if (!TYPES.has(name)) throw new NotUnderstood();
    const args: string[] = [];
    const hasLabels = name === 'enum' || name === 'set';
    if (this.#symbol('('))
      while (!this.#symbol(')')) {
        const token = this.#take();
        if (token.text !== ',' || token.kind !== 'symbol') args.push(hasLabels ? label(token) : token.text);
      }
    const length = Number(args[0] ?? Number.NaN);
    if (name === 'serial') return { ...plain('bigint', ''), unsigned: true };
    if (name === 'bool' || name === 'boolean') return plain('tinyint', '(1)');
    if (name === 'float' && args.length === 1 && length > 24) return plain('double', '');
    if (name === 'year') return plain(name, '');
    // Digits behind the point round; a lone number only chooses the type.
    if (name === 'float' || name === 'double')
      return plain(name, args.length === 2 ? `(${args.join(',')})` : '');
    if (name === 'decimal') return plain(name, `(${args[0] ?? '10'},${args[1] ?? '0'})`);
    if (name === 'bit') return plain(name, `(${args[0] ?? '1'})`);
    if (hasLabels) return plain(name, `(${args.join(',')})`);
    // To MariaDB it is another word for LONGTEXT.
    if (name === 'json' && this.#server.flavour === 'mariadb')
      return { ...plain('longtext', ''), collation: UTF8MB4_BIN };
    if (name === 'text' || name === 'blob') {
      // A declared length picks the smallest that holds it; of text it counts characters, whose width is not known here.
      if (Number.isNaN(length)) return { ...plain(name, ''), collation: name === 'blob' ? BINARY : 0 };
      if (name === 'text') throw new NotUnderstood();
      const size = length < 256 ? 0 : length < 65_536 ? 1 : length < 16_777_216 ? 2 : 3;
      return { ...plain(`${TEXT_SIZES[size]}blob`, ''), collation: BINARY };
    }
    if (name === 'binary' || name === 'varbinary')
      return { ...plain(name, `(${args[0] ?? '1'})`), octets: BigInt(args[0] ?? '1'), collation: BINARY };
    if (name === 'char' || name === 'varchar') return plain(name, `(${args[0] ?? '1'})`);
    const collation = name.endsWith('blob') ? BINARY : 0;
    return { ...plain(name, args.length > 0 ? `(${args.join(',')})` : ''), collation };

    function plain(type: string, argument: string) {
      return { name: type, argument, octets: null, collation: 0, unsigned: false, charset };
    }
  }

  #place(): Place | null {
    if (this.#words('FIRST')) return { kind: 'first' };
    if (!this.#words('AFTER')) return null;
    const column = this.#name();
    this.touched.push(column);
    return { kind: 'after', column };
  }

  #keyColumns(): { readonly columns: readonly string[]; readonly partial: boolean } {
    const columns: string[] = [];
    let partial = false;
    if (!this.#symbol('(')) throw new NotUnderstood();
    do {
      if (this.#symbolAhead('(')) {
        this.#value();
        partial = true;
      } else {
        columns.push(this.#name());
        if (this.#symbolAhead('(')) {
          this.#value();
          partial = true;
        }
      }
      this.#anyOf('ASC', 'DESC');
    } while (this.#symbol(','));
    if (!this.#symbol(')')) throw new NotUnderstood();
    return { columns, partial };
  }

  // ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** NAME [=] VALUE of a table, and what only says how to do it. */
  #option(): boolean {
    const word = this.#tokens[this.#at];
    if (word?.kind !== 'word') return false;
    const name = word.text.toUpperCase();
    if (['FORCE', 'NOWAIT'].includes(name)) return this.#words(name);
    if (name === 'WAIT') return this.#words(name) && this.#take() !== undefined;
    if (['ENABLE', 'DISABLE'].includes(name)) return this.#words(name, 'KEYS');
    if (['DISCARD', 'IMPORT'].includes(name)) return this.#words(name, 'TABLESPACE');
    if (['WITH', 'WITHOUT'].includes(name)) return this.#words(name, 'VALIDATION');
    if (
      [
        'PARTITION',
        'REMOVE',
        'COALESCE',
        'REORGANIZE',
        'EXCHANGE',
        'ANALYZE',
        'CHECK',
        'OPTIMIZE',
        'REBUILD',
        'REPAIR',
        'TRUNCATE',
        'ORDER',
      ].includes(name)
    ) {
      // Ends the statement.
      this.#at = this.#tokens.length;
      return true;
    }
    if (name === 'DEFAULT') this.#at += 1;
    if (this.#words('CHARACTER', 'SET') || this.#words('CHARSET') || this.#words('COLLATE')) {
      this.#symbol('=');
      this.#tableCharset = charsetIn(this.#take().text) || (this.#tableCharset ?? '');
      return true;
    }
    if (!OPTIONS.has((this.#tokens[this.#at]?.text ?? '').toUpperCase())) return false;
    this.#at += 1;
    this.#symbol('=');
    if (this.#symbolAhead('(')) this.#value();
    else this.#take();
    return true;
  }

  /** An expression as a default, a generated column or a CHECK has it: a token, with what stands in parentheses behind it. */
  #value(): void {
    if (!this.#symbolAhead('(')) {
      const token = this.#take();
      if (token.kind === 'symbol' && (token.text === '-' || token.text === '+')) this.#take();
      // An introducer or a prefix: _utf8mb4'…', b'…', DATE '…'.
      if (token.kind === 'word' && ['text', 'either'].includes(this.#tokens[this.#at]?.kind ?? ''))
        this.#take();
    }
    if (!this.#symbolAhead('(')) return;
    let depth = 0;
    do {
      const token = this.#take();
      if (token.kind !== 'symbol') continue;
      if (token.text === '(') depth += 1;
      if (token.text === ')') depth -= 1;
    } while (depth > 0);
  }

  /** To the comma that ends this specification. */
  #skipItem(): void {
    while (this.#at < this.#tokens.length && !this.#symbolAhead(',') && !this.#symbolAhead(')')) {
      if (this.#symbolAhead('(')) this.#value();
      else this.#at += 1;
    }
  }

  #ifExists(): void {
    if (this.#words('IF')) {
      this.#words('NOT');
      this.#must('EXISTS');
    }
  }

  #wait(): void {
    if (this.#words('WAIT')) this.#take();
    else this.#words('NOWAIT');
  }

  #using(): void {
    if (this.#words('USING') || this.#words('TYPE')) this.#take();
  }

  #tableName(): ChangedName {
    const first = this.#name();
    if (!this.#symbol('.')) return { schema: this.#schema, table: first };
    return { schema: first, table: this.#name() };
  }

  #name(): string {
    const token = this.#take();
    if (token.kind !== 'word' && token.kind !== 'name') throw new NotUnderstood();
    if (token.text.includes('\ufffd')) throw new NotUnderstood();
    return token.text;
  }

  #take(): SqlToken {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new NotUnderstood();
    this.#at += 1;
    return token;
  }

  /** Takes these words, all or none. */
  #words(...words: readonly string[]): boolean {
    const match = words.every((word, i) => this.#peekWord(word, i));
    if (match) this.#at += words.length;
    return match;
  }

  #anyOf(...words: readonly string[]): void {
    for (const word of words) if (this.#words(word)) return;
  }

  #must(word: string): void {
    if (!this.#words(word)) throw new NotUnderstood();
  }

  #peekWord(word: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'word' && token.text.toUpperCase() === word;
  }

  #symbolAhead(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'symbol' && token.text === symbol;
  }

  #symbol(symbol: string): boolean {
    const match = this.#symbolAhead(symbol);
    if (match) this.#at += 1;
    return match;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  integer: 'int',
  int1: 'tinyint',
  int2: 'smallint',
  int3: 'mediumint',
  int4: 'int',
  int8: 'bigint',
  middleint: 'mediumint',
  dec: 'decimal',
  numeric: 'decimal',
  fixed: 'decimal',
  number: 'decimal',
  real: 'double',
  float4: 'float',
  float8: 'double',
  character: 'char',
  nchar: 'char',
  nvarchar: 'varchar',
  varcharacter: 'varchar',
};

const TYPES: ReadonlySet<string> = new Set(
  `tinyint smallint mediumint int bigint serial bool boolean decimal float double bit year date time datetime timestamp char varchar
   tinytext text mediumtext longtext binary varbinary tinyblob blob mediumblob longblob enum set json uuid inet4 inet6 geometry point
   linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection vector`.split(
    /\s+/,
  ),
);

const OPTIONS: ReadonlySet<string> = new Set(
  `ALGORITHM LOCK ENGINE TYPE AUTO_INCREMENT AVG_ROW_LENGTH CHECKSUM COMMENT COMPRESSION CONNECTION DELAY_KEY_WRITE ENCRYPTION
   ENCRYPTED ENCRYPTION_KEY_ID INSERT_METHOD KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS PACK_KEYS PAGE_CHECKSUM PAGE_COMPRESSED
   PAGE_COMPRESSION_LEVEL ROW_FORMAT SEQUENCE STATS_AUTO_RECALC STATS_PERSISTENT STATS_SAMPLE_PAGES TABLESPACE TRANSACTIONAL
   SECONDARY_ENGINE ENGINE_ATTRIBUTE SECONDARY_ENGINE_ATTRIBUTE AUTOEXTEND_SIZE`.split(/\s+/),
);

/** The character set that its name, or that of a collation, begins with; empty where it is not known. `utf8` is one or another, as the server is set. */
function charsetIn(name: string): string {
  const first = name.toLowerCase().split('_')[0] ?? '';
  return collationOfCharset(first) === null ? '' : first;
}
