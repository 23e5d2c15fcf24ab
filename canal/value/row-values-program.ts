/**
 * Code for the images of one form of one table: the columns one after the other, with what is known of each written out, in place of tables
 * of what they are. That is half of the time that reading rows into objects takes.
 *
 * The code is put together of numbers and of the fixed texts below. Nothing that comes from outside is ever in it: names of columns,
 * and whatever is not read in a way of its own, are handed to it as values.
 */
import type { ColumnBitmap } from '../../model/rows.ts';
import { bitmapHas } from '../../model/rows.ts';
import type { ColumnShape } from '../../model/table-shape.ts';
import { fixedValueBytes, valuePrefixBytes } from './row-scanner.ts';
import type { RowImage, RowValue } from './row-values.ts';

/** How a column's bytes are read; `other` by whoever asks for the program. */
export const WAY = {
  other: 0,
  int32: 1,
  uint32: 2,
  text: 3,
  int8: 4,
  uint8: 5,
  int16: 6,
  uint16: 7,
} as const;
export type Way = (typeof WAY)[keyof typeof WAY];

/** Reads the images of `rows` rows that lie in `bytes` from `at` and end at or before `end`. */
export type ReadImages = (bytes: Buffer, at: number, end: number, rows: number) => RowImage[];

export interface RowProgramOptions {
  readonly columns: readonly ColumnShape[];
  readonly ways: readonly Way[];
  readonly before: ColumnBitmap | null;
  readonly after: ColumnBitmap | null;
  readonly other: (bytes: Buffer, column: number, at: number, length: number) => RowValue;
  /** The image at `at` does not end by `end`: throws. */
  readonly fail: (bytes: Buffer, at: number, end: number, present: ColumnBitmap) => never;
}

/** A table of more columns gets no program: it would be too large to be made fast. */
const MAX_COLUMNS = 100;

/** Of a value at `q`. */
const READ: Readonly<Record<Way, string>> = {
  [WAY.other]: '',
  [WAY.int32]: 'b[q]|b[q+1]<<8|b[q+2]<<16|b[q+3]<<24',
  [WAY.uint32]: '(b[q]|b[q+1]<<8|b[q+2]<<16|b[q+3]<<24)>>>0',
  [WAY.text]: 'b.utf8Slice(q,p)',
  [WAY.int8]: 'b[q]<<24>>24',
  [WAY.uint8]: 'b[q]',
  [WAY.int16]: '(b[q]|b[q+1]<<8)<<16>>16',
  [WAY.uint16]: 'b[q]|b[q+1]<<8',
};

const PREFIX = [
  '0',
  'b[p]|0',
  'b[p]|b[p+1]<<8',
  'b[p]|b[p+1]<<8|b[p+2]<<16',
  '(b[p]|b[p+1]<<8|b[p+2]<<16|b[p+3]<<24)>>>0',
] as const;

type MakeProgram = (
  names: readonly string[],
  bitmaps: readonly ColumnBitmap[],
  other: RowProgramOptions['other'],
  fail: RowProgramOptions['fail'],
) => ReadImages;

/** By code and names of columns: what the runtime has learned of a program and made of it serves all tables that are alike. */
const made = new Map<string, MakeProgram>();
const MAX_MADE = 500;

/** Null where there is none for such a table, or this process may make no code. */
export function rowProgram(options: RowProgramOptions): ReadImages | null {
  const { columns, before, after, other, fail } = options;
  if (columns.length > MAX_COLUMNS) return null;
  const images = [before, after].filter((present) => present !== null);
  const code = [
    '"use strict";',
    ...columns.map((_, column) => `const n${column}=names[${column}];`),
    'return (b,from,end,rows)=>{',
    `const out=new Array(rows*${images.length});let p=from,k=0;`,
    'for(let r=0;r<rows;r++){',
    ...images.map((present, image) => imageCode(options, present, image)),
    '}return out;};',
  ].join('\n');
  const names = columns.map(({ name }) => name);
  const key = `${JSON.stringify(names)}${code}`;
  const known = made.get(key);
  if (known !== undefined) return known(names, images, other, fail);
  try {
    const make = new Function('names', 'bitmaps', 'other', 'fail', code) as MakeProgram;
    if (made.size >= MAX_MADE) made.clear();
    made.set(key, make);
    return make(names, images, other, fail);
  } catch (error) {
    if (error instanceof EvalError) return null;
    throw error;
  }
}

function imageCode(options: RowProgramOptions, present: ColumnBitmap, image: number): string {
  const { columns, ways } = options;
  const there = columns.flatMap((_, column) => (bitmapHas(present, column) ? [column] : []));
  const nullBytes = (there.length + 7) >> 3;
  const short = `if(p>end)fail(b,s,end,bitmaps[${image}]);`;
  const lines = [`{const s=p;p+=${nullBytes};${short}`];
  for (let byte = 0; byte < nullBytes; byte++) lines.push(`const z${byte}=b[s+${byte}];`);
  for (const [column] of columns.entries()) lines.push(`let v${column}=null;`);
  for (const [place, column] of there.entries()) {
    const shape = columns[column] as ColumnShape;
    const way = ways[column] as Way;
    const prefix = valuePrefixBytes(shape);
    const length = prefix === 0 ? `${fixedValueBytes(shape)}` : (PREFIX[prefix] as string);
    const read = way === WAY.other ? `other(b,${column},q,l)` : READ[way];
    lines.push(
      `if((z${place >> 3}&${1 << (place & 7)})===0){const l=${length};const q=p+${prefix};p=q+l;${short}v${column}=${read};}`,
    );
  }
  lines.push('const o={};', ...columns.map((_, column) => `o[n${column}]=v${column};`), 'out[k++]=o;}');
  return lines.join('\n');
}
