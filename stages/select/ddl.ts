/**
 * Whether a statement in the log concerns a replicated table. Nothing that might is skipped in silence: what is not understood counts
 * as concerning every table it names.
 *
 * Only the names of tables that a statement changes are looked for; what is only read (LIKE, SELECT, REFERENCES) does
 * not matter to whoever carries rows. Triggers, views, routines, events and accounts are no tables: their effects on
 * rows are in the log as rows.
 */
import type { SourceStatement } from '../../model/source-item.ts';
import { type SqlToken, sqlReadings } from './sql-tokens.ts';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export type StatementEffect =
  /** Understood, and changes no table: `what` says it in two words. */
  | { readonly kind: 'none'; readonly what: string }
  | { readonly kind: 'tables'; readonly tables: readonly TableName[] }
  | { readonly kind: 'schema'; readonly schema: string }
  /** Not understood: it may change anything it mentions. */
  | { readonly kind: 'mentions'; readonly tables: readonly TableName[] }
  /** May change what it does not mention: a call, a statement too long to look through. */
  | { readonly kind: 'anything'; readonly what: string };

/** What of a TableFilter is needed here. */
export interface ReplicatedTables {
  matches(schema: string, table: string): boolean;
  mayMatchSchema(schema: string): boolean;
}

/** Longer statements are not looked through: they count as touching anything. */
const MAX_SQL_BYTES = 1024 * 1024;

/** True if the statement changes a replicated table, or cannot be shown not to. */
export function concernsReplicated(statement: SourceStatement, tables: ReplicatedTables): boolean {
  return statementEffects(statement).some((effect) => {
    switch (effect.kind) {
      case 'none':
        return false;
      case 'tables':
      case 'mentions':
        return effect.tables.some((name) => isReplicated(name, tables));
      case 'schema':
        return tables.mayMatchSchema(effect.schema);
      case 'anything':
        return true;
      default:
        return effect satisfies never;
    }
  });
}

function isReplicated({ schema, table }: TableName, tables: ReplicatedTables): boolean {
  // A name that could not be decoded may be any.
  if (table.includes('\ufffd')) return tables.mayMatchSchema(schema);
  return tables.matches(schema, table);
}

/** The replicated tables that a statement plainly changes, `schema.table`; none where that is not plain. */
export function changedTables(statement: SourceStatement, tables: ReplicatedTables): readonly string[] {
  const names = statementEffects(statement).flatMap((effect) =>
    effect.kind === 'tables' ? effect.tables.filter((name) => isReplicated(name, tables)) : [],
  );
  return [...new Set(names.map(({ schema, table }) => `${schema}.${table}`))];
}

/** One effect for each way to read the statement. */
export function statementEffects(statement: SourceStatement): readonly StatementEffect[] {
  if (statement.sql.length > MAX_SQL_BYTES) return [{ kind: 'anything', what: 'a statement above 1 MiB' }];
  return sqlReadings(statement).map((tokens) => {
    const reader = new StatementReader(tokens, statement.schema);
    return statement.nature === 'dml' ? reader.changeEffect() : reader.effect();
  });
}

const NO_TABLES = new Set([
  ...[
    'GRANT',
    'REVOKE',
    'FLUSH',
    'ANALYZE',
    'OPTIMIZE',
    'CHECK',
    'CHECKSUM',
    'INSTALL',
    'UNINSTALL',
    'PURGE',
    'RESET',
  ],
  ...[
    'CHANGE',
    'START',
    'STOP',
    'KILL',
    'CACHE',
    'LOCK',
    'UNLOCK',
    'USE',
    'SHOW',
    'EXPLAIN',
    'BINLOG',
    'SHUTDOWN',
  ],
]);

/** Objects that hold no rows of tables, after CREATE, ALTER and DROP. */
const OBJECTS = new Set([
  ...['VIEW', 'TRIGGER', 'PROCEDURE', 'FUNCTION', 'EVENT', 'PACKAGE', 'LIBRARY', 'USER', 'ROLE', 'SERVER'],
  ...['TABLESPACE', 'LOGFILE', 'UNDO', 'RESOURCE', 'SPATIAL_REFERENCE', 'INSTANCE'],
]);

/** Reserved in every server that is read from: never the bare name of a table. */
const RESERVED = new Set(
  `ADD ALL ALTER AND AS ASC BETWEEN BINARY BY CASE CHAR COLLATE CONVERT CREATE CROSS DEFAULT DELAYED DELETE DESC DISTINCT DIV DROP
   DUAL ELSE EXISTS FALSE FOR FORCE FROM GROUP HAVING HIGH_PRIORITY IF IGNORE IN INDEX INNER INSERT INTERVAL INTO IS
   JOIN KEY LEFT LIKE LIMIT LOAD LOW_PRIORITY MOD NATURAL NOT NULL ON OPTION OR ORDER OUTER PRIMARY PROCEDURE REGEXP
   RENAME REPLACE RIGHT RLIKE SELECT SET STRAIGHT_JOIN TABLE THEN TO TRUE UNION UNIQUE UPDATE USE USING VALUES WHEN
   WHERE WITH XOR`.split(/\s+/),
);

/** Functions that the servers have, and words that stand before a parenthesis. Others are taken for stored functions. */
const BUILT_IN = new Set(
  `ABS ACOS ADDDATE ADDTIME AES_DECRYPT AES_ENCRYPT ANY ANY_VALUE ASCII ASIN ATAN ATAN2 AVG BENCHMARK BIN BIN_TO_UUID BIT_AND BIT_COUNT
   BIT_LENGTH BIT_OR BIT_XOR CAST CEIL CEILING CHARACTER_LENGTH CHARSET CHAR_LENGTH CHR COALESCE COERCIBILITY COLLATION COLUMNS COMPRESS
   CONCAT CONCAT_WS CONNECTION_ID CONV CONVERT_TZ COS COT COUNT CRC32 CRC32C CUME_DIST CURDATE CURRENT_DATE CURRENT_ROLE CURRENT_TIME
   CURRENT_TIMESTAMP CURRENT_USER CURTIME DATABASE DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DATETIME DAY DAYNAME DAYOFMONTH
   DAYOFWEEK DAYOFYEAR DECIMAL DECODE DEGREES DENSE_RANK ELT ENCODE ENCRYPT EXP EXPORT_SET EXTRACT EXTRACTVALUE FIELD FIND_IN_SET
   FIRST_VALUE FLOAT FLOOR FORMAT FORMAT_BYTES FOUND_ROWS FROM_BASE64 FROM_DAYS FROM_UNIXTIME FORMAT_PICO_TIME GET_FORMAT GET_LOCK
   GREATEST GROUPING GROUP_CONCAT GTID_SUBSET GTID_SUBTRACT HEX HOUR IFNULL INET6_ATON INET6_NTOA INET_ATON INET_NTOA INSTR
   IS_FREE_LOCK IS_IPV4 IS_IPV6 IS_USED_LOCK IS_UUID ISNULL JSON_ARRAY JSON_ARRAYAGG JSON_ARRAY_APPEND JSON_ARRAY_INSERT JSON_COMPACT
   JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_EXISTS JSON_EXTRACT JSON_INSERT JSON_KEYS JSON_LENGTH JSON_MERGE JSON_MERGE_PATCH
   JSON_MERGE_PRESERVE JSON_OBJECT JSON_OBJECTAGG JSON_OVERLAPS JSON_PRETTY JSON_QUERY JSON_QUOTE JSON_REMOVE JSON_REPLACE JSON_SEARCH
   JSON_SET JSON_TABLE JSON_TYPE JSON_UNQUOTE JSON_VALID JSON_VALUE LAG LAST_DAY LAST_INSERT_ID LAST_VALUE LCASE LEAD LEAST LENGTH
   LENGTHB LN LOAD_FILE LOCALTIME LOCALTIMESTAMP LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME MAKE_SET MATCH AGAINST MAX
   MD5 MEDIAN MEMBER MICROSECOND MID MIN MINUTE MONTH MONTHNAME NAME_CONST NATURAL_SORT_KEY NOW NTH_VALUE NTILE NULLIF NVL NVL2 OCT
   OCTET_LENGTH OF OLD_PASSWORD ORD OVER PARTITION PASSWORD PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK PERIOD_ADD PERIOD_DIFF PI POSITION
   POW POWER QUARTER QUOTE RADIANS RAND RANDOM_BYTES RANK REGEXP_INSTR REGEXP_LIKE REGEXP_REPLACE REGEXP_SUBSTR RELEASE_LOCK REVERSE
   ROUND ROW ROW_COUNT ROW_NUMBER RPAD RTRIM SCHEMA SECOND SEC_TO_TIME SESSION_USER SFORMAT SHA SHA1 SHA2 SIGN SIGNED SIN SLEEP SOME
   SOUNDEX SPACE SQRT STD STDDEV STDDEV_POP STDDEV_SAMP STRCMP STR_TO_DATE SUBDATE SUBSTR SUBSTRING SUBSTRING_INDEX SUBTIME SUM SYSDATE
   SYSTEM_USER SYS_GUID TAN TIME TIMEDIFF TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_BASE64 TO_CHAR TO_DAYS
   TO_SECONDS TRIM TRUNCATE UCASE UNCOMPRESS UNCOMPRESSED_LENGTH UNHEX UNIX_TIMESTAMP UPDATEXML UPPER USER UTC_DATE UTC_TIME
   UTC_TIMESTAMP UUID UUID_SHORT UUID_TO_BIN VALUE VARCHAR VARIANCE VAR_POP VAR_SAMP VEC_DISTANCE VEC_FROMTEXT VEC_TOTEXT VERSION
   WEEK WEEKDAY WEEKOFYEAR WEIGHT_STRING WINDOW YEAR YEARWEEK NCHAR RETURNING LATERAL RECURSIVE ROLLUP SEPARATOR`.split(
    /\s+/,
  ),
);

class StatementReader {
  readonly #tokens: readonly SqlToken[];
  readonly #schema: string;
  #at = 0;

  constructor(tokens: readonly SqlToken[], schema: string) {
    this.#tokens = tokens;
    this.#schema = schema;
  }

  effect(): StatementEffect {
    while (this.#symbol('(') || this.#symbol(';')) {
      // Neither changes what the statement is.
    }
    const start = this.#at;
    const verb = this.#takeWord();
    switch (verb) {
      case 'CREATE':
        return this.#create() ?? this.#mentions();
      case 'ALTER':
        return this.#alter() ?? this.#mentions();
      case 'DROP':
        return this.#drop() ?? this.#mentions();
      case 'RENAME':
        return this.#rename() ?? this.#mentions();
      case 'TRUNCATE':
        this.#word('TABLE');
        return this.#nameList() ?? this.#mentions();
      case 'SET':
        return this.#set();
      case 'LOAD':
        return this.#loadData() ?? { kind: 'anything', what: 'LOAD DATA' };
      case 'INSERT':
      case 'UPDATE':
      case 'DELETE':
      case 'REPLACE':
      case 'CALL':
      case 'DO':
      case 'SELECT':
      case 'WITH':
      case 'HANDLER':
        this.#at = start;
        return this.changeEffect();
      case null:
        return this.#tokens.length === 0 ? { kind: 'none', what: 'an empty statement' } : this.#mentions();
      default:
        return NO_TABLES.has(verb) ? { kind: 'none', what: verb } : this.#mentions();
    }
  }

  /** Of a change in statement form: the one table it changes, where that is plain; else whatever it mentions. */
  changeEffect(): StatementEffect {
    const verb = this.#takeWord();
    if (verb !== 'INSERT' && verb !== 'UPDATE' && verb !== 'DELETE' && verb !== 'REPLACE')
      return { kind: 'anything', what: verb ?? 'a change' };
    // What a stored function does is not in the statement.
    const calls = this.#tokens.some(
      (token, index) => isName(token) && this.#tokens[index + 1]?.text === '(' && this.#isCall(index),
    );
    if (calls) return { kind: 'anything', what: 'a stored function' };
    return this.#changedTable(verb) ?? this.#mentions();
  }

  /** The table that a statement over one table changes; null for those over several, and for what is not understood. */
  #changedTable(verb: 'INSERT' | 'UPDATE' | 'DELETE' | 'REPLACE'): StatementEffect | null {
    while (this.#word('LOW_PRIORITY', 'HIGH_PRIORITY', 'DELAYED', 'QUICK', 'IGNORE')) {
      // Ways to do it.
    }
    if (verb === 'DELETE' && !this.#word('FROM')) return null;
    if (verb === 'INSERT' || verb === 'REPLACE') this.#word('INTO');
    const name = this.#name();
    const changed: StatementEffect | null = name === null ? null : { kind: 'tables', tables: [name] };
    if (verb === 'INSERT' || verb === 'REPLACE') return changed;
    if (this.#word('AS')) this.#identifier();
    if (verb === 'UPDATE') return this.#word('SET') ? changed : null;
    return this.#isAtEnd() || this.#word('WHERE', 'ORDER', 'LIMIT', 'RETURNING') ? changed : null;
  }

  /**
   * `t (` after INTO is a list of columns. Anywhere else it is the call of a function: of a stored one if it has a schema, is quoted, or is none
   * that the servers know.
   */
  #isCall(index: number): boolean {
    const isQualified = this.#tokens[index - 1]?.text === '.';
    const before = this.#tokens[isQualified ? index - 3 : index - 1];
    const isWord = before?.kind === 'word';
    if (
      isWord &&
      /^(?:INTO|INSERT|REPLACE|IGNORE|TABLE|DELAYED|LOW_PRIORITY|HIGH_PRIORITY)$/i.test(before.text)
    )
      return false;
    const name = this.#tokens[index];
    if (isQualified || name?.kind !== 'word') return true;
    const word = name.text.toUpperCase();
    // FORCE INDEX (…), FOR JOIN (…), a common table expression's columns and the like.
    return !RESERVED.has(word) && !BUILT_IN.has(word);
  }

  #create(): StatementEffect | null {
    if (this.#word('OR')) this.#word('REPLACE');
    if (this.#word('TEMPORARY')) return { kind: 'none', what: 'a temporary table' };
    this.#word('UNIQUE', 'FULLTEXT', 'SPATIAL', 'VECTOR', 'ONLINE', 'OFFLINE', 'AGGREGATE');
    switch (this.#peekWord()) {
      case 'TABLE':
      case 'SEQUENCE':
        this.#at += 1;
        this.#ifExists();
        return this.#oneName();
      case 'INDEX':
        return this.#onTable();
      case 'DATABASE':
      case 'SCHEMA':
        return { kind: 'none', what: 'CREATE DATABASE' };
      case 'REFERENCE':
        return { kind: 'none', what: 'CREATE SPATIAL REFERENCE SYSTEM' };
      default:
        return this.#object('CREATE');
    }
  }

  #alter(): StatementEffect | null {
    while (this.#word('ONLINE', 'OFFLINE', 'IGNORE')) {
      // Ways to do it.
    }
    switch (this.#peekWord()) {
      case 'TABLE':
      case 'SEQUENCE': {
        this.#at += 1;
        this.#ifExists();
        const first = this.#name();
        return first === null ? null : { kind: 'tables', tables: [first, ...this.#namesInAlter()] };
      }
      case 'DATABASE':
      case 'SCHEMA':
        return { kind: 'none', what: 'ALTER DATABASE' };
      default:
        return this.#object('ALTER');
    }
  }

  /** Targets of RENAME TO, EXCHANGE PARTITION … WITH TABLE, CONVERT … TABLE. Too many do no harm, too few would. */
  #namesInAlter(): TableName[] {
    const names: TableName[] = [];
    while (this.#at < this.#tokens.length) {
      if (this.#word('RENAME')) {
        if (this.#word('COLUMN', 'INDEX', 'KEY', 'CONSTRAINT')) continue;
        if (!this.#word('TO', 'AS')) this.#symbol('=');
      } else if (!this.#word('TABLE')) {
        this.#at += 1;
        continue;
      }
      const name = this.#name();
      if (name !== null) names.push(name);
    }
    return names;
  }

  #drop(): StatementEffect | null {
    if (this.#word('TEMPORARY')) return { kind: 'none', what: 'a temporary table' };
    this.#word('ONLINE', 'OFFLINE');
    switch (this.#peekWord()) {
      case 'TABLE':
      case 'TABLES':
      case 'SEQUENCE':
        this.#at += 1;
        this.#ifExists();
        return this.#nameList();
      case 'INDEX':
        return this.#onTable();
      case 'DATABASE':
      case 'SCHEMA': {
        this.#at += 1;
        this.#ifExists();
        const schema = this.#identifier();
        return schema === null ? null : { kind: 'schema', schema };
      }
      case 'PREPARE':
      case 'SPATIAL':
        return { kind: 'none', what: 'DROP' };
      default:
        return this.#object('DROP');
    }
  }

  #rename(): StatementEffect | null {
    if (this.#word('USER')) return { kind: 'none', what: 'RENAME USER' };
    if (!this.#word('TABLE', 'TABLES')) return null;
    this.#ifExists();
    const tables: TableName[] = [];
    do {
      const from = this.#name();
      // MariaDB: how long to wait for locks.
      while (this.#word('WAIT', 'NOWAIT') || this.#number());
      const to = this.#word('TO') ? this.#name() : null;
      if (from === null || to === null) return null;
      tables.push(from, to);
    } while (this.#symbol(','));
    return this.#isAtEnd() ? { kind: 'tables', tables } : null;
  }

  /** MariaDB: SET STATEMENT variable = value, … FOR statement. Any other SET changes no table. */
  #set(): StatementEffect {
    if (!this.#word('STATEMENT')) return { kind: 'none', what: 'SET' };
    while (!this.#isAtEnd()) {
      if (this.#word('FOR')) return this.effect();
      this.#at += 1;
    }
    return this.#mentions();
  }

  #loadData(): StatementEffect | null {
    while (!this.#isAtEnd()) {
      if (this.#word('INTO') && this.#word('TABLE')) return this.#oneName();
      this.#at += 1;
    }
    return null;
  }

  /** CREATE, ALTER or DROP of something that is no table; between verb and kind there may be ALGORITHM, DEFINER, SQL SECURITY. */
  #object(verb: string): StatementEffect | null {
    for (let ahead = 0; ahead < 16; ahead++) {
      const token = this.#tokens[this.#at + ahead];
      const word = token?.kind === 'word' ? token.text.toUpperCase() : null;
      if (word !== null && OBJECTS.has(word)) return { kind: 'none', what: `${verb} ${word}` };
      // Only what may stand before the kind of object is passed over.
      const known =
        token !== undefined &&
        (token.kind !== 'word' ||
          /^(?:ALGORITHM|DEFINER|SQL|SECURITY|UNDEFINED|MERGE|TEMPTABLE|INVOKER|CURRENT_USER|CURRENT_ROLE)$/.test(
            word ?? '',
          ) ||
          /^[=@]$/.test(this.#tokens[this.#at + ahead - 1]?.text ?? ''));
      if (!known) return null;
    }
    return null;
  }

  /** CREATE INDEX and DROP INDEX: the table stands behind the first ON at this level. */
  #onTable(): StatementEffect | null {
    while (!this.#isAtEnd()) {
      if (this.#word('ON')) return this.#oneName();
      if (this.#symbol('(')) return null;
      this.#at += 1;
    }
    return null;
  }

  #oneName(): StatementEffect | null {
    const name = this.#name();
    return name === null ? null : { kind: 'tables', tables: [name] };
  }

  #nameList(): StatementEffect | null {
    const tables: TableName[] = [];
    do {
      const name = this.#name();
      if (name === null) return null;
      tables.push(name);
    } while (this.#symbol(','));
    return { kind: 'tables', tables };
  }

  #mentions(): StatementEffect {
    const tables: TableName[] = [];
    for (let index = 0; index < this.#tokens.length; index++) {
      const token = this.#tokens[index];
      if (token === undefined || !isName(token)) continue;
      if (token.kind === 'word' && RESERVED.has(token.text.toUpperCase())) continue;
      const after = this.#tokens[index + 2];
      if (this.#tokens[index + 1]?.text === '.' && after !== undefined && isName(after))
        tables.push({ schema: token.text, table: after.text });
      else if (this.#tokens[index - 1]?.text !== '.')
        tables.push({ schema: this.#schema, table: token.text });
    }
    return { kind: 'mentions', tables };
  }

  #ifExists(): void {
    if (!this.#word('IF')) return;
    this.#word('NOT');
    this.#word('EXISTS');
  }

  /** `table` or `schema.table`. */
  #name(): TableName | null {
    const first = this.#identifier();
    if (first === null) return null;
    if (!this.#symbol('.')) return { schema: this.#schema, table: first };
    const second = this.#identifier();
    return second === null ? null : { schema: first, table: second };
  }

  #identifier(): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || !isName(token)) return null;
    this.#at += 1;
    return token.text;
  }

  #takeWord(): string | null {
    const word = this.#peekWord();
    if (word !== null) this.#at += 1;
    return word;
  }

  #peekWord(): string | null {
    const token = this.#tokens[this.#at];
    return token?.kind === 'word' ? token.text.toUpperCase() : null;
  }

  #word(...words: readonly string[]): boolean {
    const word = this.#peekWord();
    if (word === null || !words.includes(word)) return false;
    this.#at += 1;
    return true;
  }

  #number(): boolean {
    if (this.#tokens[this.#at]?.kind !== 'number') return false;
    this.#at += 1;
    return true;
  }

  #symbol(symbol: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'symbol' || token.text !== symbol) return false;
    this.#at += 1;
    return true;
  }

  #isAtEnd(): boolean {
    return this.#at >= this.#tokens.length || this.#tokens[this.#at]?.text === ';';
  }
}

function isName(token: SqlToken): boolean {
  return token.kind === 'word' || token.kind === 'name' || token.kind === 'either';
}
