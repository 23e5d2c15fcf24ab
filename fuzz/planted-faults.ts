/**
 * Faults planted on purpose: what the fuzzer must find, each within a minute, or it is too weak.
 *
 * A fault replaces exports of one of the product's modules by wrappers around them. The product knows nothing of it: `npm run fuzz --
 * --fault NAME` puts the wrapper between the module and whoever imports it (`scripts/fuzz/fault-hooks.mjs`), before any
 * module of the product is loaded. Therefore this file imports types only.
 */
import type { PairName } from './case.ts';

export interface PlantedFault {
  readonly name: string;
  readonly area: 'decoding' | 'folding' | 'applying';
  /** Path from the repository's root. */
  readonly module: string;
  /** Exports that are replaced. */
  readonly exports: readonly string[];
  readonly pair: PairName;
  wrapped(original: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
}

type Wrappers<M> = { readonly [K in keyof M]?: (original: M[K]) => M[K] };

/** `M` is the type of the module: a wrapper that does not fit it any more does not compile. */
function fault<M extends object>(
  name: string,
  area: PlantedFault['area'],
  module: string,
  wrappers: Wrappers<M>,
  pair: PairName = 'mariadb-mariadb',
): PlantedFault {
  return {
    name,
    area,
    module,
    exports: Object.keys(wrappers),
    pair,
    wrapped: (original) =>
      Object.fromEntries(
        Object.entries(wrappers).map(([key, wrap]) => [
          key,
          (wrap as (one: unknown) => unknown)(original[key]),
        ]),
      ),
  };
}

type ValueText = typeof import('../canal/value/value-text.ts');
type Temporal = typeof import('../canal/value/temporal.ts');
type Scanner = typeof import('../canal/value/row-scanner.ts');
type Fold = typeof import('../stages/load/apply/fold.ts');

const INT24 = 9;
const LONGLONG = 8;
const ENUM = 247;
const SET = 248;
const MINUS = 0x2d;
const SPACE = 0x20;
const ABSENT = -2;
const NULL = -1;

function integers(
  changed: (
    column: Parameters<ValueText['writeInteger']>[1],
    len: number,
  ) => readonly [Parameters<ValueText['writeInteger']>[1], number],
): Wrappers<ValueText> {
  return {
    writeInteger: (original) => (sink, column, buf, off, len) =>
      original(sink, ...decided(column, buf, off, len)),
  };
  function decided(
    column: Parameters<ValueText['writeInteger']>[1],
    buf: Buffer,
    off: number,
    len: number,
  ): [typeof column, Buffer, number, number] {
    const [other, length] = changed(column, len);
    return [other, buf, off, length];
  }
}

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  fault<ValueText>(
    'the sign of a MEDIUMINT is lost',
    'decoding',
    'canal/value/value-text.ts',
    integers((column, len) => [column.type === INT24 ? { ...column, unsigned: true } : column, len]),
  ),
  fault<ValueText>(
    'a BIGINT UNSIGNED is read as signed',
    'decoding',
    'canal/value/value-text.ts',
    integers((column, len) => [column.type === LONGLONG ? { ...column, unsigned: false } : column, len]),
  ),
  fault<ValueText>(
    'an ENUM of more than 255 members is read from one byte',
    'decoding',
    'canal/value/value-text.ts',
    integers((column, len) => [column, column.type === ENUM ? 1 : len]),
  ),
  fault<ValueText>(
    'members of a SET above the 32nd are lost',
    'decoding',
    'canal/value/value-text.ts',
    integers((column, len) => [column, column.type === SET ? Math.min(len, 4) : len]),
  ),
  fault<ValueText>(
    'the sign of a zero DOUBLE is lost',
    'decoding',
    'canal/value/value-text.ts',
    { readDouble: (original) => (column, buf, off, len) => original(column, buf, off, len) + 0 },
    // MariaDB stores no negative zero.
    'mysql-mysql',
  ),
  fault<typeof import('../canal/value/decimal.ts')>(
    'the last digit of a DECIMAL’s fraction is cut',
    'decoding',
    'canal/value/decimal.ts',
    {
      putDecimal: (original) => (out, at, buf, offset, precision, scale) =>
        original(out, at, buf, offset, precision, scale) - (scale > 1 ? 1 : 0),
    },
  ),
  fault<Temporal>('a TIMESTAMP is an hour late', 'decoding', 'canal/value/temporal.ts', {
    putTimestamp2: (original) => (out, at, buf, offset, digits) => {
      const late = Buffer.from(buf.subarray(offset, offset + 7));
      const seconds = late.readUInt32BE(0);
      if (seconds > 0 && seconds < 0x7fff_0000) late.writeUInt32BE(seconds + 3600, 0);
      return original(out, at, late, 0, digits);
    },
  }),
  fault<Temporal>('a negative TIME below an hour is positive', 'decoding', 'canal/value/temporal.ts', {
    putTime2: (original) => (out, at, buf, offset, digits) => {
      const end = original(out, at, buf, offset, digits);
      const below = out[at] === MINUS && out[at + 1] === 0x30 && out[at + 2] === 0x30;
      if (!below) return end;
      out.copyWithin(at, at + 1, end);
      return end - 1;
    },
  }),
  fault<Temporal>('the year 0000 is 1900', 'decoding', 'canal/value/temporal.ts', {
    putYear: (original) => (out, at, buf, offset) => {
      const end = original(out, at, buf, offset);
      if (buf[offset] === 0) for (const [i, digit] of [0x31, 0x39, 0x30, 0x30].entries()) out[at + i] = digit;
      return end;
    },
  }),
  fault<Scanner>(
    'the third column takes the null bit of the second',
    'decoding',
    'canal/value/row-scanner.ts',
    {
      compileRowScanner: (original) => (shape) => {
        const scanner = original(shape);
        const scan = scanner.scan.bind(scanner);
        scanner.scan = (...args) => {
          const next = scan(...args);
          const nullable = shape.columns[2]?.nullable === true;
          if (nullable && scanner.lengths[1] === NULL && (scanner.lengths[2] ?? ABSENT) >= 0)
            scanner.lengths[2] = NULL;
          return next;
        };
        return scanner;
      },
    },
  ),
  fault<typeof import('../canal/value/quoted.ts')>(
    'the last byte of a large BLOB is lost',
    'decoding',
    'canal/value/quoted.ts',
    {
      writeQuoted: (original) => (sink, buf, off, len, padding) =>
        original(sink, buf, off, len > 65_535 ? len - 1 : len, padding),
    },
  ),
  fault<typeof import('../canal/value/quoted.ts')>(
    'a trailing space is cut',
    'decoding',
    'canal/value/quoted.ts',
    {
      writeQuoted: (original) => (sink, buf, off, len, padding) =>
        original(sink, buf, off, len > 0 && buf[off + len - 1] === SPACE ? len - 1 : len, padding),
    },
  ),
  fault<typeof import('../canal/value/mariadb-types.ts')>(
    'a compressed column loses its last byte',
    'decoding',
    'canal/value/mariadb-types.ts',
    {
      uncompressedColumn: (original) => (buf, offset, length) => {
        const bytes = original(buf, offset, length);
        return bytes.length > 20 ? bytes.subarray(0, -1) : bytes;
      },
    },
  ),
  fault<typeof import('../canal/value/json-diff.ts')>(
    'changes of a part of a JSON document are dropped',
    'decoding',
    'canal/value/json-diff.ts',
    { applyJsonDiffs: () => (base) => Buffer.from(base) },
    'mysql-mysql',
  ),
  fault<Fold>('an update after an insert is folded away', 'folding', 'stages/load/apply/fold.ts', {
    TableFold: (Original) =>
      class extends Original {
        override finalImage(entry: number): ReturnType<InstanceType<Fold['TableFold']>['finalImage']> {
          return this.change(entry) === 'insert' ? this.keyImage(entry) : super.finalImage(entry);
        }
      },
  }),
  fault<Fold>('a delete is dropped once its table had an insert', 'folding', 'stages/load/apply/fold.ts', {
    TableFold: (Original) =>
      class extends Original {
        #inserted = false;
        override feed(...args: Parameters<InstanceType<Fold['TableFold']>['feed']>): number {
          this.#inserted ||= args[0] === 'insert';
          return super.feed(...args);
        }
        override change(entry: number): ReturnType<InstanceType<Fold['TableFold']>['change']> {
          const change = super.change(entry);
          return change === 'delete' && this.#inserted ? ('forgotten' as never) : change;
        }
      },
  }),
  fault<typeof import('../stages/load/apply/key-table.ts')>(
    'keys are told apart by their first byte',
    'folding',
    'stages/load/apply/key-table.ts',
    {
      KeyTable: (Original) =>
        class extends Original {
          override add(bytes: Uint8Array, start: number, length: number): number {
            return super.add(bytes, start, Math.min(length, 1));
          }
        },
    },
  ),
  fault<Fold>('columns that a partial image lacks are NULL', 'folding', 'stages/load/apply/fold.ts', {
    TableFold: (Original) =>
      class extends Original {
        override finalImage(entry: number): ReturnType<InstanceType<Fold['TableFold']>['finalImage']> {
          const { offsets, lengths } = super.finalImage(entry);
          const plan = this.planOf(entry);
          const filled = Int32Array.from(lengths, (length, i) => {
            const column = plan.columns.find(({ index }) => index === i);
            return length === ABSENT && column?.target.nullable === true && !plan.identity.includes(column)
              ? NULL
              : length;
          });
          return { offsets, lengths: filled };
        }
      },
  }),
  fault<Fold>('an update is folded onto its before image', 'folding', 'stages/load/apply/fold.ts', {
    TableFold: (Original) =>
      class extends Original {
        override finalImage(entry: number): ReturnType<InstanceType<Fold['TableFold']>['finalImage']> {
          return this.change(entry) === 'update' ? this.keyImage(entry) : super.finalImage(entry);
        }
      },
  }),
  fault<typeof import('../stages/load/apply/key-table.ts')>(
    'keys that differ in case are taken for one, whatever the collation says',
    'folding',
    'stages/load/apply/key-table.ts',
    {
      KeyTable: (Original) =>
        class extends Original {
          override add(bytes: Uint8Array, start: number, length: number): number {
            const lower = Buffer.from(bytes.subarray(start, start + length)).map((byte) =>
              byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
            );
            return super.add(lower, 0, length);
          }
        },
    },
  ),
  fault<typeof import('../stages/load/apply/batch-statements.ts')>(
    'the order of statements is inverted where foreign keys join tables',
    'applying',
    'stages/load/apply/batch-statements.ts',
    {
      batchStatements: (original) => async (options) => {
        const built = await original(options);
        const joined = [...built.ordered.values()].some((why) => why.startsWith('foreign keys join'));
        return joined ? { ...built, statements: built.statements.toReversed() } : built;
      },
    },
  ),
  fault<typeof import('../stages/load/apply/batch-statements.ts')>(
    'the last of many statements is lost',
    'applying',
    'stages/load/apply/batch-statements.ts',
    {
      batchStatements: (original) => async (options) => {
        const built = await original(options);
        return built.statements.length > 4 ? { ...built, statements: built.statements.slice(0, -1) } : built;
      },
    },
  ),
  fault<typeof import('../stages/load/apply/exact-match.ts')>(
    'a row without key is found by its first columns',
    'applying',
    'stages/load/apply/exact-match.ts',
    {
      writeExactMatch: (original) => (sink, plan, image, payload) =>
        original(sink, { ...plan, columns: plan.columns.slice(0, 1) }, image, payload),
    },
  ),
  fault<typeof import('../stages/load/apply/session-checks.ts')>(
    'foreign keys are checked though the source did not',
    'applying',
    'stages/load/apply/session-checks.ts',
    {
      SessionChecks: (Original) =>
        class extends Original {
          override set(
            ...[connection, , traits]: Parameters<InstanceType<typeof Original>['set']>
          ): Promise<void> {
            return super.set(connection, 0, traits);
          }
        },
    },
  ),
  fault<typeof import('../stages/load/apply/table-plan.ts')>(
    'columns are filled by their places, not by their names',
    'applying',
    'stages/load/apply/table-plan.ts',
    {
      planTable:
        (original) =>
        (shape, route, target, ...rest) =>
          original(
            shape,
            {
              ...route,
              columns: route.columns.map((column, i) => ({
                ...column,
                name: target.columns[i]?.name ?? column.name,
              })),
            },
            target,
            ...rest,
          ),
    },
  ),
  fault<typeof import('../stages/select/batch-former.ts')>(
    'the last part of a large transaction is lost',
    'applying',
    'stages/select/batch-former.ts',
    {
      BatchFormer: (Original) =>
        class extends Original {
          override cut(): ReturnType<InstanceType<typeof Original>['cut']> {
            const formed = super.cut();
            if (formed === null || formed.part === 0 || !formed.lastPart) return formed;
            return { ...formed, payload: formed.payload.subarray(0, 4) };
          }
        },
    },
  ),
];

/** The fault of that name; throws where there is none. */
export function plantedFault(name: string): PlantedFault {
  const found = PLANTED_FAULTS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no fault is named ${JSON.stringify(name)}`);
  return found;
}
