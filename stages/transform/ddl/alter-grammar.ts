/**
 * The specifications of an ALTER TABLE, from behind the name of the table.
 *
 * Source: https://dev.mysql.com/doc/refman/9.7/en/alter-table.html, https://mariadb.com/kb/en/alter-table/
 */
import { readCharset, readColumn, readDefault, readElement, readKeyOrConstraint } from './column-grammar.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { readPartition, readPartitioning, readPartitionList, readTableOption } from './table-options.ts';
import type { TokenCursor } from './token-cursor.ts';

/** True when all that is altered is partitions. */
export function readAlterations(cursor: TokenCursor, notes: ReadingNotes, table: number): boolean {
  let onlyPartitions = true;
  const list = notes.beginList();
  if (cursor.isAtEnd || cursor.peekSymbol(';')) return false;
  if (!atPartitioning(cursor))
    do {
      notes.item(cursor, list, null, (item) => {
        const reader = new AlterationReader(cursor, notes, table, item);
        const about = reader.read();
        onlyPartitions &&= reader.isOfPartitions;
        return about;
      });
    } while (cursor.symbol(','));
  if (cursor.peekWord() === 'PARTITION') readPartitioning(cursor, notes, table);
  else if (cursor.words('REMOVE', 'PARTITIONING')) return onlyPartitions;
  return onlyPartitions;
}

function atPartitioning(cursor: TokenCursor): boolean {
  return cursor.peekWord() === 'PARTITION' && cursor.peekWord(1) === 'BY';
}

class AlterationReader {
  readonly #cursor: TokenCursor;
  readonly #notes: ReadingNotes;
  readonly #table: number;
  readonly #item: number;
  isOfPartitions = false;

  constructor(cursor: TokenCursor, notes: ReadingNotes, table: number, item: number) {
    this.#cursor = cursor;
    this.#notes = notes;
    this.#table = table;
    this.#item = item;
  }

  /** Gives the column that it is about, and about nothing else. */
  read(): number | null {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (this.#partitions()) {
      this.isOfPartitions = true;
      return null;
    }
    if (cursor.word('ADD')) return this.#add();
    if (cursor.word('DROP')) return this.#drop();
    if (cursor.word('CHANGE')) {
      cursor.word('COLUMN');
      notes.ifExistsInside(cursor);
      const before = notes.column(cursor.name(), 'altered', this.#table);
      const after = readColumn(cursor, notes, this.#table);
      this.#position();
      const [from, to] = [notes.columns[before], notes.columns[after]];
      return from?.at.text.toLowerCase() === to?.at.text.toLowerCase() ? before : null;
    }
    if (cursor.word('MODIFY')) {
      cursor.word('COLUMN');
      notes.ifExistsInside(cursor);
      const at = notes.columns.length;
      readColumn(cursor, notes, this.#table);
      const column = notes.columns[at];
      if (column !== undefined) notes.columns[at] = { ...column, use: 'altered' };
      this.#position();
      return at;
    }
    if (cursor.word('ALTER')) return this.#alter();
    if (cursor.word('RENAME')) {
      this.#rename();
      return null;
    }
    if (cursor.words('CONVERT', 'TO')) {
      if (cursor.words('CHARACTER', 'SET', 'DEFAULT')) readCharset(cursor, notes);
      else if (!readCharset(cursor, notes)) cursor.fail();
      else readCharset(cursor, notes);
      return null;
    }
    if (cursor.word('CONVERT')) {
      this.#convert();
      this.isOfPartitions = true;
      return null;
    }
    if (cursor.words('ORDER', 'BY')) {
      this.#orderBy();
      return null;
    }
    if (
      cursor.words('DISABLE', 'KEYS') ||
      cursor.words('ENABLE', 'KEYS') ||
      cursor.words('DISCARD', 'TABLESPACE') ||
      cursor.words('IMPORT', 'TABLESPACE') ||
      cursor.words('WITH', 'VALIDATION') ||
      cursor.words('WITHOUT', 'VALIDATION') ||
      cursor.word('FORCE')
    )
      return null;
    if (readAlgorithmOrLock(cursor, notes)) return null;
    let options = 0;
    while (readTableOption(cursor, notes)) options += 1;
    if (options === 0) cursor.fail();
    return null;
  }

  #partitions(): boolean {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.words('ADD', 'PARTITION')) {
      notes.ifExistsInside(cursor);
      cursor.word('NO_WRITE_TO_BINLOG', 'LOCAL');
      if (cursor.word('PARTITIONS')) cursor.expectNumber();
      else readPartitionList(cursor, notes);
      return true;
    }
    if (cursor.words('DROP', 'PARTITION')) {
      notes.ifExistsInside(cursor);
      this.#partitionNames();
      return true;
    }
    if (cursor.words('COALESCE', 'PARTITION')) {
      cursor.word('NO_WRITE_TO_BINLOG', 'LOCAL');
      cursor.expectNumber();
      return true;
    }
    if (cursor.words('REORGANIZE', 'PARTITION')) {
      cursor.word('NO_WRITE_TO_BINLOG', 'LOCAL');
      if (!cursor.isName()) return true;
      this.#partitionNames();
      cursor.expectWord('INTO');
      readPartitionList(cursor, notes);
      return true;
    }
    if (cursor.words('EXCHANGE', 'PARTITION')) {
      cursor.name();
      cursor.expectWord('WITH');
      cursor.expectWord('TABLE');
      notes.table(cursor, 'changed');
      if (cursor.words('WITH', 'VALIDATION') || cursor.words('WITHOUT', 'VALIDATION'))
        notes.feature('EXCHANGE PARTITION without validation');
      return true;
    }
    if (
      cursor.words('TRUNCATE', 'PARTITION') ||
      cursor.words('ANALYZE', 'PARTITION') ||
      cursor.words('CHECK', 'PARTITION') ||
      cursor.words('OPTIMIZE', 'PARTITION') ||
      cursor.words('REBUILD', 'PARTITION') ||
      cursor.words('REPAIR', 'PARTITION')
    ) {
      cursor.word('NO_WRITE_TO_BINLOG', 'LOCAL');
      this.#partitionNames();
      while (cursor.word('QUICK', 'FAST', 'MEDIUM', 'EXTENDED', 'CHANGED', 'USE_FRM'));
      return true;
    }
    if (cursor.words('DISCARD', 'PARTITION') || cursor.words('IMPORT', 'PARTITION')) {
      this.#partitionNames();
      cursor.expectWord('TABLESPACE');
      return true;
    }
    return cursor.words('REMOVE', 'PARTITIONING') || cursor.words('UPGRADE', 'PARTITIONING');
  }

  #partitionNames(): void {
    if (this.#cursor.word('ALL')) return;
    do {
      this.#cursor.name();
    } while (this.#cursor.symbol(','));
  }

  #add(): number | null {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.words('SYSTEM', 'VERSIONING')) {
      notes.feature('system versioning or periods');
      return null;
    }
    if (!cursor.word('COLUMN') && readKeyOrConstraint(cursor, notes, this.#table)) return null;
    notes.ifExistsInside(cursor);
    if (cursor.symbol('(')) {
      const list = notes.beginList();
      do {
        notes.item(cursor, list, this.#item, () => readElement(cursor, notes, this.#table));
      } while (cursor.symbol(','));
      cursor.expectSymbol(')');
      return null;
    }
    const column = readColumn(cursor, notes, this.#table);
    this.#position();
    return column;
  }

  #position(): void {
    const cursor = this.#cursor;
    if (cursor.word('FIRST')) return;
    const start = cursor.start;
    if (!cursor.word('AFTER')) return;
    const at = cursor.name();
    this.#notes.column(at, 'after', this.#table, { clause: { start, end: at.end } });
  }

  #drop(): number | null {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.words('PRIMARY', 'KEY')) return null;
    if (cursor.words('SYSTEM', 'VERSIONING') || cursor.words('PERIOD', 'FOR', 'SYSTEM_TIME')) {
      notes.feature('system versioning or periods');
      return null;
    }
    if (cursor.words('FOREIGN', 'KEY') || cursor.word('INDEX', 'KEY', 'CONSTRAINT', 'CHECK')) {
      notes.ifExistsInside(cursor);
      cursor.name();
      return null;
    }
    cursor.word('COLUMN');
    notes.ifExistsInside(cursor);
    const column = notes.column(cursor.name(), 'dropped', this.#table);
    cursor.word('RESTRICT', 'CASCADE');
    return column;
  }

  #alter(): number | null {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.word('INDEX', 'KEY')) {
      notes.ifExistsInside(cursor);
      cursor.name();
      if (cursor.word('VISIBLE', 'INVISIBLE')) notes.feature('an invisible index');
      else {
        cursor.word('NOT');
        cursor.expectWord('IGNORED');
        notes.feature('an ignored index');
      }
      return null;
    }
    if (cursor.word('CHECK', 'CONSTRAINT')) {
      cursor.name();
      cursor.word('NOT');
      cursor.expectWord('ENFORCED');
      notes.feature('ENFORCED of a constraint');
      return null;
    }
    cursor.word('COLUMN');
    notes.ifExistsInside(cursor);
    const column = notes.column(cursor.name(), 'altered', this.#table);
    if (cursor.words('DROP', 'DEFAULT')) return column;
    cursor.expectWord('SET');
    if (cursor.word('VISIBLE', 'INVISIBLE')) {
      // MariaDB has no such way to make a column invisible.
      notes.feature('VISIBLE for a column');
      return column;
    }
    cursor.expectWord('DEFAULT');
    readDefault(cursor, notes, this.#table);
    return column;
  }

  #rename(): void {
    const cursor = this.#cursor;
    const notes = this.#notes;
    if (cursor.word('INDEX', 'KEY')) {
      notes.feature('RENAME INDEX');
      notes.ifExistsInside(cursor);
      cursor.name();
      cursor.expectWord('TO');
      cursor.name();
      return;
    }
    if (cursor.word('COLUMN')) {
      notes.feature('RENAME COLUMN');
      notes.ifExistsInside(cursor);
      notes.column(cursor.name(), 'altered', this.#table);
      cursor.expectWord('TO');
      notes.column(cursor.name(), 'defined', this.#table);
      return;
    }
    if (!cursor.word('TO', 'AS')) cursor.symbol('=');
    notes.table(cursor, 'renamed-to');
  }

  /** MariaDB: a partition becomes a table, or a table a partition. */
  #convert(): void {
    const cursor = this.#cursor;
    const notes = this.#notes;
    notes.feature('CONVERT PARTITION and CONVERT TABLE');
    if (cursor.word('PARTITION')) {
      cursor.name();
      cursor.expectWord('TO');
      cursor.expectWord('TABLE');
      notes.table(cursor, 'created');
      return;
    }
    cursor.expectWord('TABLE');
    notes.table(cursor, 'dropped');
    cursor.expectWord('TO');
    cursor.expectWord('PARTITION');
    readPartition(cursor, notes);
    if (!cursor.words('WITHOUT', 'VALIDATION')) cursor.words('WITH', 'VALIDATION');
  }

  #orderBy(): void {
    const cursor = this.#cursor;
    for (;;) {
      this.#notes.column(cursor.name(), 'listed', this.#table);
      cursor.word('ASC', 'DESC');
      // The next specification may follow: only a name alone goes on with the order.
      const next = cursor.peek(2);
      const goesOn =
        cursor.peekSymbol(',') &&
        cursor.isName(1) &&
        (next === undefined || /^(?:,|ASC|DESC|;)$/i.test(next.text));
      if (!goesOn) return;
      cursor.expectSymbol(',');
    }
  }
}

/** Of ALTER TABLE, and behind CREATE INDEX and DROP INDEX. */
export function readAlgorithmOrLock(cursor: TokenCursor, notes: ReadingNotes): boolean {
  if (cursor.word('ALGORITHM')) {
    cursor.symbol('=');
    const way = cursor.anyWord();
    if (way === 'INSTANT') notes.feature('ALGORITHM=INSTANT');
    else if (way === 'NOCOPY') notes.feature('ALGORITHM=NOCOPY');
    else if (way !== 'INPLACE' && way !== 'COPY' && way !== 'DEFAULT') cursor.fail();
    return true;
  }
  if (!cursor.word('LOCK')) return false;
  cursor.symbol('=');
  cursor.expectWord('DEFAULT', 'NONE', 'SHARED', 'EXCLUSIVE');
  return true;
}
