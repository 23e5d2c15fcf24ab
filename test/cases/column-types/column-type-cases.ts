import { ADDRESS_CASES } from './addresses.ts';
import { BIT_CASES } from './bits.ts';
import { BLOB_CASES } from './blobs.ts';
import type { CaseServer, ColumnCase, ColumnTypeCase, TableCase } from './column-type-case.ts';
import { CONVERSION_CASES } from './conversions.ts';
import { DECIMAL_CASES } from './decimals.ts';
import { ENUM_CASES } from './enums.ts';
import { GEOMETRY_CASES } from './geometry.ts';
import { INTEGER_CASES } from './integers.ts';
import { JSON_CASES } from './json.ts';
import { SPECIAL_COLUMN_CASES } from './special-columns.ts';
import { STRING_CASES } from './strings.ts';
import { TEMPORAL_CASES } from './temporal.ts';

/** All cases, family by family. */
export const COLUMN_TYPE_CASES: readonly ColumnTypeCase[] = [
  ...INTEGER_CASES,
  ...DECIMAL_CASES,
  ...BIT_CASES,
  ...TEMPORAL_CASES,
  ...STRING_CASES,
  ...BLOB_CASES,
  ...ENUM_CASES,
  ...JSON_CASES,
  ...GEOMETRY_CASES,
  ...ADDRESS_CASES,
  ...SPECIAL_COLUMN_CASES,
  ...CONVERSION_CASES,
];

export function columnCasesOn(server: CaseServer): readonly ColumnCase[] {
  return COLUMN_TYPE_CASES.flatMap((one) => (one.kind === 'column' && one.on.includes(server) ? [one] : []));
}

export function tableCasesOn(server: CaseServer): readonly TableCase[] {
  return COLUMN_TYPE_CASES.flatMap((one) => (one.kind === 'table' && one.on.includes(server) ? [one] : []));
}

/** Column cases that have a type of their own: what only differs at the target is left out. */
export function ownTypesOn(server: CaseServer): readonly ColumnCase[] {
  return columnCasesOn(server).filter((one) => !CONVERSION_CASES.includes(one));
}
