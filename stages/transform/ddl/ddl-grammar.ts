/**
 * Reads a whole statement by the grammar here: each token has its place, or the statement is not understood.
 *
 * The bodies of views and of CREATE TABLE … SELECT are queries, which are not read: their names are a matter of the library.
 */
import type { DdlKind } from '../../../model/ddl-kind.ts';
import type { SqlToken } from '../../select/sql-tokens.ts';
import { readAlgorithmOrLock, readAlterations } from './alter-grammar.ts';
import { readCharset, readElement, readIndexOptions, readKeyParts } from './column-grammar.ts';
import { ReadingNotes } from './reading-notes.ts';
import { readPartitioning, readTableOption } from './table-options.ts';
import { TokenCursor } from './token-cursor.ts';

export interface GrammarReading {
  readonly kind: DdlKind;
  readonly notes: ReadingNotes;
  /** Number of the first token of a query; null where there is none. */
  readonly queryAt: number | null;
}

/** @throws NotUnderstood where a token has no place. */
export function readByGrammar(tokens: readonly SqlToken[], sessionSchema: string): GrammarReading {
  const cursor = new TokenCursor(tokens);
  const reader = new StatementGrammar(cursor, new ReadingNotes(sessionSchema));
  const reading = reader.read();
  while (cursor.symbol(';'));
  if (!cursor.isAtEnd && reading.queryAt === null) cursor.fail();
  return reading;
}

class StatementGrammar {
  readonly #cursor: TokenCursor;
  readonly #notes: ReadingNotes;
  #queryAt: number | null = null;

  constructor(cursor: TokenCursor, notes: ReadingNotes) {
    this.#cursor = cursor;
    this.#notes = notes;
  }

  read(): GrammarReading {
    while (this.#cursor.symbol(';'));
    const kind = this.#statement();
    return { kind, notes: this.#notes, queryAt: this.#queryAt };
  }

  #statement(): DdlKind {
    const cursor = this.#cursor;
    switch (cursor.anyWord()) {
      case 'SET':
        return this.#setStatement();
      case 'CREATE':
        return this.#create();
      case 'ALTER':
        return this.#alter();
      case 'DROP':
        return this.#drop();
      case 'RENAME':
        return this.#rename();
      case 'TRUNCATE':
        cursor.word('TABLE');
        this.#notes.table(cursor, 'changed');
        this.#notes.wait(cursor);
        return 'truncate';
      default:
        return cursor.fail();
    }
  }

  /** MariaDB: SET STATEMENT variable = value, … FOR statement. */
  #setStatement(): DdlKind {
    const cursor = this.#cursor;
    cursor.expectWord('STATEMENT');
    this.#notes.feature('SET STATEMENT');
    while (!cursor.word('FOR')) {
      if (cursor.peekSymbol('(') || cursor.peekSymbol(';')) cursor.fail();
      cursor.take();
    }
    return this.#statement();
  }

  #create(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    const orReplace = cursor.words('OR', 'REPLACE');
    if (this.#atView()) return this.#view('create-view');
    if (orReplace) notes.feature('OR REPLACE for tables, indexes and databases');
    if (cursor.word('TABLE')) return this.#createTable();
    if (cursor.word('SEQUENCE')) return this.#sequence('created');
    if (cursor.word('DATABASE', 'SCHEMA')) {
      notes.conditional = notes.ifExists(cursor);
      notes.database = cursor.name();
      this.#databaseOptions();
      return 'create-database';
    }
    if (cursor.word('ONLINE', 'OFFLINE')) notes.feature('ALTER ONLINE, OFFLINE and IGNORE');
    if (cursor.word('VECTOR')) notes.feature('a vector index');
    else cursor.word('UNIQUE', 'FULLTEXT', 'SPATIAL');
    cursor.expectWord('INDEX');
    return this.#createIndex();
  }

  #createTable(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    notes.conditional = notes.ifExists(cursor);
    const table = notes.table(cursor, 'created');
    if (cursor.word('LIKE')) {
      notes.table(cursor, 'read');
      return 'create-table-like';
    }
    if (cursor.peekSymbol('(') && cursor.peekWord(1) === 'LIKE') {
      cursor.take();
      cursor.take();
      notes.table(cursor, 'read');
      cursor.expectSymbol(')');
      return 'create-table-like';
    }
    if (cursor.peekSymbol('(') && !this.#atQuery()) {
      cursor.take();
      const list = notes.beginList();
      do {
        notes.item(cursor, list, null, () => readElement(cursor, notes, table));
      } while (cursor.symbol(','));
      cursor.expectSymbol(')');
    }
    for (;;) {
      const start = cursor.start;
      if (cursor.words('START', 'TRANSACTION')) {
        // How MySQL logs CREATE TABLE … SELECT: the rows follow, in the same transaction.
        notes.cuts.push({ start, end: cursor.end });
      } else if (!readTableOption(cursor, notes) && !(this.#atOption(1) && cursor.symbol(','))) break;
    }
    if (cursor.peekWord() === 'PARTITION') readPartitioning(cursor, notes, table);
    cursor.word('IGNORE', 'REPLACE');
    cursor.word('AS');
    if (!this.#atQuery()) return 'create-table';
    this.#queryAt = cursor.at;
    return 'create-table-select';
  }

  /** What stands behind a comma between two table options. */
  #atOption(ahead: number): boolean {
    return this.#cursor.peekWord(ahead) !== null;
  }

  #atQuery(): boolean {
    const cursor = this.#cursor;
    let ahead = 0;
    while (cursor.peekSymbol('(', ahead)) ahead += 1;
    const word = cursor.peekWord(ahead);
    return word === 'SELECT' || (ahead === 0 && (word === 'WITH' || word === 'VALUES' || word === 'TABLE'));
  }

  #createIndex(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    notes.ifExistsInside(cursor);
    cursor.name();
    if (cursor.word('USING', 'TYPE')) cursor.anyWord();
    cursor.expectWord('ON');
    const table = notes.table(cursor, 'changed');
    notes.wait(cursor);
    readKeyParts(cursor, notes, table);
    readIndexOptions(cursor, notes);
    while (readAlgorithmOrLock(cursor, notes));
    return 'create-index';
  }

  #alter(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (this.#atView()) return this.#view('alter-view');
    if (cursor.word('DATABASE', 'SCHEMA')) {
      if (cursor.isName() && !this.#atDatabaseOption()) notes.database = cursor.name();
      this.#databaseOptions();
      return 'alter-database';
    }
    if (cursor.word('SEQUENCE')) return this.#sequence('changed');
    while (cursor.word('ONLINE', 'OFFLINE', 'IGNORE')) notes.feature('ALTER ONLINE, OFFLINE and IGNORE');
    cursor.expectWord('TABLE');
    if (notes.ifExists(cursor)) {
      notes.conditional = true;
      notes.feature('IF EXISTS within a change of a table or index');
    }
    const table = notes.table(cursor, 'changed');
    notes.wait(cursor);
    return readAlterations(cursor, notes, table) ? 'partition' : 'alter-table';
  }

  #drop(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.word('TABLE', 'TABLES')) return this.#dropList('drop-table');
    if (cursor.word('VIEW')) return this.#dropList('drop-view');
    if (cursor.word('SEQUENCE')) {
      notes.feature('a sequence');
      this.#dropList('drop-table');
      return 'sequence';
    }
    if (cursor.word('DATABASE', 'SCHEMA')) {
      notes.conditional = notes.ifExists(cursor);
      notes.database = cursor.name();
      return 'drop-database';
    }
    if (cursor.word('ONLINE', 'OFFLINE')) notes.feature('ALTER ONLINE, OFFLINE and IGNORE');
    cursor.expectWord('INDEX');
    notes.ifExistsInside(cursor);
    cursor.name();
    cursor.expectWord('ON');
    notes.table(cursor, 'changed');
    notes.wait(cursor);
    while (readAlgorithmOrLock(cursor, notes)) notes.feature('ALGORITHM and LOCK behind DROP INDEX');
    return 'drop-index';
  }

  #dropList(kind: DdlKind): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    notes.conditional = notes.ifExists(cursor);
    const list = notes.beginList();
    do {
      notes.item(cursor, list, null, () => {
        notes.table(cursor, 'dropped');
        return null;
      });
    } while (cursor.symbol(','));
    notes.wait(cursor);
    cursor.word('RESTRICT', 'CASCADE');
    return kind;
  }

  #rename(): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    cursor.expectWord('TABLE', 'TABLES');
    notes.ifExistsInside(cursor);
    const list = notes.beginList();
    do {
      notes.item(cursor, list, null, () => {
        notes.table(cursor, 'renamed');
        notes.wait(cursor);
        cursor.expectWord('TO');
        notes.table(cursor, 'renamed-to');
        return null;
      });
    } while (cursor.symbol(','));
    return 'rename-table';
  }

  #sequence(use: 'created' | 'changed'): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    notes.feature('a sequence');
    notes.conditional = notes.ifExists(cursor);
    notes.table(cursor, use);
    while (!cursor.isAtEnd && !cursor.peekSymbol(';')) {
      if (cursor.symbol('=') || cursor.symbol('-') || cursor.number()) continue;
      cursor.expectWord(
        ...[
          'AS',
          'TINYINT',
          'SMALLINT',
          'MEDIUMINT',
          'INT',
          'INTEGER',
          'BIGINT',
          'UNSIGNED',
          'SIGNED',
          'ENGINE',
          'INNODB',
        ],
        ...[
          'INCREMENT',
          'BY',
          'MINVALUE',
          'MAXVALUE',
          'NO',
          'NOMINVALUE',
          'NOMAXVALUE',
          'START',
          'WITH',
          'RESTART',
        ],
        ...['CACHE', 'NOCACHE', 'CYCLE', 'NOCYCLE', 'ARIA', 'MYISAM'],
      );
    }
    return 'sequence';
  }

  /** Whether VIEW stands behind ALGORITHM, DEFINER and SQL SECURITY, which are looked over. */
  #atView(): boolean {
    return this.#viewAhead() !== null;
  }

  #viewAhead(): number | null {
    const cursor = this.#cursor;
    for (let ahead = 0; ahead < 16; ahead++) {
      const word = cursor.peekWord(ahead);
      if (word === 'VIEW') return ahead;
      const token = cursor.peek(ahead);
      const passes =
        token !== undefined &&
        (token.kind !== 'word' ||
          /^(?:ALGORITHM|DEFINER|SQL|SECURITY|UNDEFINED|MERGE|TEMPTABLE|INVOKER|CURRENT_USER|CURRENT_ROLE)$/.test(
            word ?? '',
          ) ||
          /^[=@]$/.test(cursor.peek(ahead - 1)?.text ?? ''));
      if (!passes) return null;
    }
    return null;
  }

  #view(kind: 'create-view' | 'alter-view'): DdlKind {
    const cursor = this.#cursor;
    const notes = this.#notes;
    for (let ahead = this.#viewAhead() ?? 0; ahead >= 0; ahead--) cursor.take();
    if (notes.ifExists(cursor)) notes.feature('a view with IF NOT EXISTS');
    notes.table(cursor, kind === 'create-view' ? 'created' : 'changed');
    if (cursor.symbol('(')) {
      do {
        cursor.name();
      } while (cursor.symbol(','));
      cursor.expectSymbol(')');
    }
    cursor.expectWord('AS');
    if (!this.#atQuery()) cursor.fail();
    this.#queryAt = cursor.at;
    return kind;
  }

  #atDatabaseOption(): boolean {
    const word = this.#cursor.peekWord();
    if (word === 'CHARSET' || word === 'ENCRYPTION' || word === 'COMMENT')
      return this.#cursor.peekSymbol('=', 1) || this.#cursor.peek(1)?.kind === 'text' || word === 'CHARSET';
    return word === 'CHARACTER' && this.#cursor.peekWord(1) === 'SET';
  }

  #databaseOptions(): void {
    const cursor = this.#cursor;
    const notes = this.#notes;
    for (;;) {
      cursor.word('DEFAULT');
      if (readCharset(cursor, notes)) continue;
      if (cursor.word('ENCRYPTION')) {
        notes.feature('options of a database beyond its character set');
        cursor.symbol('=');
        cursor.expectText();
      } else if (cursor.words('READ', 'ONLY')) {
        notes.feature('options of a database beyond its character set');
        cursor.symbol('=');
        if (!cursor.word('DEFAULT')) cursor.expectNumber();
      } else if (cursor.word('COMMENT')) {
        notes.feature('a comment of a database');
        cursor.symbol('=');
        cursor.expectText();
      } else return;
    }
  }
}
