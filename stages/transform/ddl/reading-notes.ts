/** What a grammar notes while it reads: places of names, items of lists, features. Taken back where it tries another way. */
import type {
  ColumnPlace,
  ColumnUse,
  Cut,
  Feature,
  ListItem,
  NamePlace,
  TablePlace,
  TableUse,
} from './ddl.ts';
import { collationFeature, type FeatureName, featureOf } from './server-features.ts';
import type { TokenCursor } from './token-cursor.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class ReadingNotes {
  readonly tables: TablePlace[] = [];
  readonly columns: ColumnPlace[] = [];
  readonly items: Writable<ListItem>[] = [];
  readonly cuts: Cut[] = [];
  readonly features: Feature[] = [];
  database: NamePlace | null = null;
  conditional = false;
  /** Where these begin. */
  readonly #utf8mb4: number[] = [];
  readonly #collations: number[] = [];
  readonly #sessionSchema: string;
  #lists = 0;

  constructor(sessionSchema: string) {
    this.#sessionSchema = sessionSchema;
  }

  /** `table` or `schema.table` at the cursor; gives its number. */
  table(
    cursor: TokenCursor,
    use: TableUse,
    within: TablePlace['within'] = 'session',
    unqualifiedSchema = this.#sessionSchema,
  ): number {
    // MariaDB and MySQL take `.table`, which is `table`.
    const first = cursor.name();
    if (!cursor.symbol('.')) return this.addTable(null, first, use, within, unqualifiedSchema);
    return this.addTable(first, cursor.nameBehindDot(), use, within, first.text);
  }

  addTable(
    schemaAt: NamePlace | null,
    tableAt: NamePlace,
    use: TableUse,
    within: TablePlace['within'],
    schema: string,
  ): number {
    this.tables.push({ schemaAt, tableAt, schema, table: tableAt.text, use, within });
    return this.tables.length - 1;
  }

  column(
    at: NamePlace,
    use: ColumnUse,
    of: number,
    options: { certain?: boolean; clause?: Cut } = {},
  ): number {
    this.columns.push({ at, use, of, certain: options.certain ?? true, clause: options.clause ?? null });
    return this.columns.length - 1;
  }

  beginList(): number {
    return this.#lists++;
  }

  /** Reads one item of a list; what it is about is what `read` gives. */
  item(
    cursor: TokenCursor,
    list: number,
    within: number | null,
    read: (item: number) => number | null,
  ): void {
    const index = this.items.length;
    const item: Writable<ListItem> = { list, start: cursor.start, end: cursor.start, about: null, within };
    this.items.push(item);
    item.about = read(index);
    item.end = cursor.end;
  }

  feature(name: FeatureName | null): void {
    if (name !== null && !this.features.some((one) => one.word === name)) this.features.push(featureOf(name));
  }

  charset(name: string, at: number): void {
    if (name.toLowerCase() === 'utf8mb4') this.#utf8mb4.push(at);
  }

  /** `at`: of the clause; null within an expression, where it says nothing of a column. */
  collation(name: string, at: number | null): void {
    this.feature(collationFeature(name));
    if (at !== null) this.#collations.push(at);
  }

  /** CHARACTER SET utf8mb4 without a COLLATE for the same column, table or database. */
  get hasUtf8mb4Alone(): boolean {
    const collated = new Set(this.#collations.map((at) => this.#itemAt(at)));
    return this.#utf8mb4.some((at) => !collated.has(this.#itemAt(at)));
  }

  /** The innermost item around a place; −1 outside all. */
  #itemAt(at: number): number {
    return this.items.findLastIndex(({ start, end }) => start <= at && at < end);
  }

  /** IF EXISTS or IF NOT EXISTS, if it stands there. */
  ifExists(cursor: TokenCursor): boolean {
    return cursor.words('IF', 'NOT', 'EXISTS') || cursor.words('IF', 'EXISTS');
  }

  /** The same where only MariaDB takes it. */
  ifExistsInside(cursor: TokenCursor): void {
    if (this.ifExists(cursor)) this.feature('IF EXISTS within a change of a table or index');
  }

  /** MariaDB: how long to wait for locks. */
  wait(cursor: TokenCursor): void {
    if (cursor.word('NOWAIT')) this.feature('WAIT and NOWAIT');
    else if (cursor.peekWord() === 'WAIT' && cursor.peek(1)?.kind === 'number') {
      cursor.take();
      cursor.take();
      this.feature('WAIT and NOWAIT');
    }
  }
}
