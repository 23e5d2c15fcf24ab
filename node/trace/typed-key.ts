/**
 * What a person typed as a key, made into conditions on raw rows, by the source's own rules: it converts dates, decimals and texts into what
 * its columns hold, and says what equals what in a collation. The source is only asked, nothing is written there.
 */
import { quoteText, type SchemaQuery, SchemaReader } from '../../canal/schema/schema-reader.ts';
import { doubleText, floatText } from '../../canal/value/float.ts';
import { HoltError } from '../../lib/errors.ts';
import { quoteName } from '../../lib/sql-name.ts';
import { type Condition, type Perhaps, type Verdicts, withoutZeros } from './key-conditions.ts';

export interface TypedKey {
  readonly schema: string;
  readonly table: string;
  /** In the order of the key; null where `where` is given. */
  readonly key: readonly string[] | null;
  readonly where: Readonly<Record<string, string | null>> | null;
}

/** A column as INFORMATION_SCHEMA has it. */
interface Column {
  readonly name: string;
  readonly dataType: string;
  readonly declared: string;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly precision: string | null;
  readonly scale: string | null;
  readonly fraction: string | null;
}

export interface ResolvedKey {
  /** As the source spells them. */
  readonly schema: string;
  readonly table: string;
  readonly conditions: readonly Condition[];
  readonly columns: readonly string[];
  /** Whether an index finds the row; and what stands behind `=` for each column, null for NULL. */
  readonly isKey: boolean;
  readonly literals: readonly { readonly column: string; readonly literal: string | null }[];
}

const INTEGERS: ReadonlySet<string> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'year']);
const BINARY: ReadonlySet<string> = new Set(['varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob']);
const ADDRESSES: ReadonlySet<string> = new Set(['uuid', 'inet4', 'inet6']);
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/;
const QUESTIONS = 200;
const QUESTION_BYTES = 256 * 1024;

export class KeyReader {
  readonly #query: SchemaQuery;
  readonly #columns = new Map<string, { readonly column: Column; readonly typed: string }>();

  constructor(query: SchemaQuery) {
    this.#query = query;
  }

  /** @throws HoltError HOLT_TRACE_TABLE, HOLT_TRACE_KEY */
  async resolve(typed: TypedKey): Promise<ResolvedKey> {
    await this.#query("SET SESSION time_zone = '+00:00'");
    const found = await this.#table(typed);
    const facts = await new SchemaReader({ query: this.#query }).read(found.schema, found.table);
    const unique = facts?.uniqueKeys.find((one) => !one.partial)?.columns ?? [];
    const keyColumns = facts === null || facts.primaryKey.length === 0 ? unique : facts.primaryKey;
    const given = typed.where === null ? byKey(typed, keyColumns) : Object.entries(typed.where);
    if (given.length === 0) throw badKey('no column is given');
    const conditions: Condition[] = [];
    const literals: ResolvedKey['literals'][number][] = [];
    for (const [name, value] of given) {
      const column = found.columns.find((one) => one.name.toLowerCase() === name.toLowerCase());
      if (column === undefined)
        throw badKey(`${typed.schema}.${typed.table} has no column ${JSON.stringify(name)}`);
      const { condition, literal } = await this.#condition(column, value);
      conditions.push(condition);
      literals.push({ column: column.name, literal });
    }
    const names = new Set(conditions.map(({ column }) => column));
    return {
      schema: found.schema,
      table: found.table,
      conditions,
      columns: [...names],
      isKey: keyColumns.length > 0 && keyColumns.every((one) => names.has(one)),
      literals,
    };
  }

  /** Asks which of the texts equal what was typed, by the column's collation. */
  async ask(perhaps: readonly Perhaps[], verdicts: Verdicts): Promise<void> {
    const open = new Map(
      perhaps
        .filter(({ column, text }) => verdicts.get(column, text) === undefined)
        .map((one) => [`${one.column}\0${one.text}`, one]),
    );
    let batch: Perhaps[] = [];
    let bytes = 0;
    for (const one of open.values()) {
      batch.push(one);
      bytes += one.text.length;
      if (batch.length >= QUESTIONS || bytes >= QUESTION_BYTES) {
        await this.#askBatch(batch, verdicts);
        batch = [];
        bytes = 0;
      }
    }
    if (batch.length > 0) await this.#askBatch(batch, verdicts);
  }

  async #askBatch(batch: readonly Perhaps[], verdicts: Verdicts): Promise<void> {
    const terms = batch.map(({ column, text }) => {
      const known = this.#columns.get(column);
      if (known === undefined) return '0';
      const { charset, collation } = known.column;
      const logged = `_${charset} x'${Buffer.from(text, 'latin1').toString('hex')}' COLLATE ${collation}`;
      return `${logged} = CONVERT(${utf8(known.typed)} USING ${charset}) COLLATE ${collation}`;
    });
    const [answers = []] = await this.#query(`SELECT ${terms.join(', ')}`);
    for (const [index, { column, text }] of batch.entries())
      verdicts.set(column, text, answers[index] === '1');
  }

  async #table({ schema, table }: TypedKey): Promise<{
    readonly schema: string;
    readonly table: string;
    readonly columns: readonly Column[];
  }> {
    const rows = await this.#query(
      `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME,
              NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION
         FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = ${quoteText(schema)} AND TABLE_NAME = ${quoteText(table)} ORDER BY ORDINAL_POSITION`,
    );
    // INFORMATION_SCHEMA compares names by its own collation: where names differ in case only, it gives several tables.
    const names = new Set(rows.map((row) => `${row[0]}\0${row[1]}`));
    const name = names.has(`${schema}\0${table}`) ? `${schema}\0${table}` : [...names][0];
    if (name === undefined || (names.size > 1 && name !== `${schema}\0${table}`))
      throw new HoltError('HOLT_TRACE_TABLE', `the source shows no table ${schema}.${table}`, {
        disposition: 'fatal',
        facts: { table: `${schema}.${table}` },
      });
    const [foundSchema = '', foundTable = ''] = name.split('\0');
    return {
      schema: foundSchema,
      table: foundTable,
      columns: rows
        .filter((row) => `${row[0]}\0${row[1]}` === name)
        .map(([, , column, dataType, declared, charset, collation, precision, scale, fraction]) => ({
          name: column ?? '',
          dataType: (dataType ?? '').toLowerCase(),
          declared: declared ?? '',
          charset: charset ?? null,
          collation: collation ?? null,
          precision: precision ?? null,
          scale: scale ?? null,
          fraction: fraction ?? null,
        })),
    };
  }

  async #condition(
    column: Column,
    typed: string | null,
  ): Promise<{ readonly condition: Condition; readonly literal: string | null }> {
    const { name, dataType } = column;
    if (typed === null) return { condition: { column: name, kind: 'null' }, literal: null };
    const exact = (text: string | Buffer, literal: string) => ({
      condition: { column: name, kind: 'exact', value: Buffer.from(text) } as const,
      literal,
    });
    if (dataType === 'year' && /^\s*[0-9]{4}\s*$/.test(typed)) return exact(typed.trim(), typed.trim());
    if (INTEGERS.has(dataType)) {
      const digits = wholeNumber(typed, column);
      return exact(digits, digits);
    }
    if (dataType === 'bit') {
      const digits = bitNumber(typed, column);
      return exact(digits, digits);
    }
    if (dataType === 'float' || dataType === 'double') {
      const value = Number(typed);
      if (typed.trim() === '' || !Number.isFinite(value)) throw badValue(column, 'a number');
      const text = dataType === 'float' ? floatText(Math.fround(value)) : doubleText(value);
      return { condition: { column: name, kind: 'float', value: Number(text) }, literal: String(value) };
    }
    if (dataType === 'binary') {
      const bytes = binaryOf(typed);
      const value = withoutZeros(bytes);
      const [, declared = '1'] = /\(([0-9]+)\)/.exec(column.declared) ?? [];
      const full = Buffer.concat([bytes, Buffer.alloc(Math.max(0, Number(declared) - bytes.length))]);
      return { condition: { column: name, kind: 'padded', value }, literal: `x'${full.toString('hex')}'` };
    }
    if (BINARY.has(dataType)) {
      const bytes = binaryOf(typed);
      return exact(bytes, `x'${bytes.toString('hex')}'`);
    }
    const cast = castOf(column);
    if (dataType === 'decimal' && !DECIMAL.test(typed.trim())) throw badValue(column, 'a decimal number');
    if (cast !== null) {
      const text = await this.#one(`SELECT CAST(${utf8(typed)} AS ${cast})`);
      if (text === null) throw badValue(column, `a value of type ${column.declared}`);
      return exact(text, quoteText(text));
    }
    if (dataType === 'enum' || dataType === 'set') {
      const digits = await this.#member(column, typed);
      return exact(digits, digits);
    }
    if (column.charset !== null && column.collation !== null) return this.#text(column, typed);
    throw badKey(`columns of type ${column.declared} (${name}) cannot be searched by`);
  }

  async #text(
    column: Column,
    typed: string,
  ): Promise<{ readonly condition: Condition; readonly literal: string }> {
    const converted = `CONVERT(${utf8(typed)} USING ${column.charset})`;
    const [[hex, same] = []] = await this.#query(
      `SELECT HEX(${converted}), CONVERT(${converted} USING utf8mb4) COLLATE utf8mb4_bin = ${utf8(typed)} COLLATE utf8mb4_bin`,
    );
    if (same !== '1') throw badValue(column, `text that its character set ${column.charset} can hold`);
    this.#columns.set(column.name, { column, typed });
    return {
      condition: { column: column.name, kind: 'collated', value: Buffer.from(hex ?? '', 'hex') },
      literal: utf8(typed),
    };
  }

  /** ENUM: the number of the member. SET: the bits of those that are named. */
  async #member(column: Column, typed: string): Promise<string> {
    if (/^[0-9]+$/.test(typed)) return BigInt(typed).toString();
    const members = [...column.declared.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) =>
      text.replaceAll("''", "'"),
    );
    const wanted = column.dataType === 'set' ? typed.split(',') : [typed];
    let bits = 0n;
    for (const one of wanted) {
      const terms = members.map((member) =>
        column.charset === null
          ? `${utf8(member)} = ${utf8(one)}`
          : `CONVERT(${utf8(member)} USING ${column.charset}) COLLATE ${column.collation} = CONVERT(${utf8(one)} USING ${column.charset}) COLLATE ${column.collation}`,
      );
      const [answers = []] = await this.#query(`SELECT ${terms.join(', ')}`);
      const index = answers.indexOf('1');
      if (index < 0) throw badValue(column, `one of ${members.join(', ')}`);
      if (column.dataType === 'enum') return String(index + 1);
      bits |= 1n << BigInt(index);
    }
    return bits.toString();
  }

  async #one(sql: string): Promise<string | null> {
    const [[value = null] = []] = await this.#query(sql);
    return value;
  }
}

/** The condition of a WHERE clause, with columns named as at the other end; null where one of them is not there. */
export function whereClause(
  literals: ResolvedKey['literals'],
  nameOf: (column: string) => string | null,
): string | null {
  const terms: string[] = [];
  for (const { column, literal } of literals) {
    const name = nameOf(column);
    if (name === null) return null;
    terms.push(literal === null ? `${quoteName(name)} IS NULL` : `${quoteName(name)} = ${literal}`);
  }
  return terms.join(' AND ');
}

function byKey({ key, schema, table }: TypedKey, columns: readonly string[]): [string, string][] {
  const values = key ?? [];
  if (columns.length === 0)
    throw badKey(`${schema}.${table} has no key`, 'Name columns and their values: --where <column>=<value>.');
  if (values.length !== columns.length)
    throw badKey(
      `the key of ${schema}.${table} is (${columns.join(', ')}): ${columns.length} values are expected, and ${values.length} are given`,
      'Give one value for each column of the key, in its order.',
    );
  return columns.map((column, index) => [column, values[index] ?? '']);
}

function castOf({ dataType, precision, scale, fraction }: Column): string | null {
  if (ADDRESSES.has(dataType)) return dataType.toUpperCase();
  switch (dataType) {
    case 'decimal':
      return `DECIMAL(${precision ?? 10},${scale ?? 0})`;
    case 'date':
      return 'DATE';
    case 'time':
      return `TIME(${fraction ?? 0})`;
    case 'datetime':
    case 'timestamp':
      return `DATETIME(${fraction ?? 0})`;
    default:
      return null;
  }
}

function wholeNumber(typed: string, column: Column): string {
  const text = typed.trim();
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) throw badValue(column, 'a whole number');
  const digits = BigInt(text.replace(/^\+/, '')).toString();
  return column.dataType === 'year' ? digits.padStart(4, '0') : digits;
}

function bitNumber(typed: string, column: Column): string {
  const [, bits] = /^b'([01]{1,64})'$/i.exec(typed.trim()) ?? [];
  const text = bits === undefined ? typed.trim() : `0b${bits}`;
  if (!/^(?:[0-9]{1,20}|0x[0-9a-f]{1,16}|0b[01]{1,64})$/i.test(text))
    throw badValue(column, "bits: a number, 0x… or b'…'");
  return BigInt(text).toString();
}

function binaryOf(typed: string): Buffer {
  return /^0x(?:[0-9a-f]{2})*$/i.test(typed)
    ? Buffer.from(typed.slice(2), 'hex')
    : Buffer.from(typed, 'utf8');
}

const utf8 = (text: string): string => `_utf8mb4 x'${Buffer.from(text, 'utf8').toString('hex')}'`;

/** Without the value: errors go into logs. */
function badValue(column: Column, expected: string): HoltError {
  return badKey(`the value for ${column.name} is none of its: ${expected} is expected`);
}

function badKey(why: string, remedy?: string): HoltError {
  return new HoltError('HOLT_TRACE_KEY', why, {
    disposition: 'fatal',
    ...(remedy === undefined ? {} : { remedy }),
  });
}
