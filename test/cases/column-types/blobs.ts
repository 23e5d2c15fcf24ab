import { hexLiteral } from './chance-values.ts';
import { type ColumnCase, type ColumnTypeFamily, EVERYWHERE } from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Binary strings';
const VALUES = ["''", "X'00'", "X'0000'", "X'6100'", "X'2027275C5C00'", "X'20'", "X'FF'", "X'5C'", "X'1A'"];

function bytes(id: string, title: string, ddl: string, most: number): ColumnCase {
  return {
    kind: 'column',
    id,
    title,
    family: FAMILY,
    on: EVERYWHERE,
    ddl,
    values: VALUES,
    random: (chance) => hexLiteral(chance.bytes(chance.int(0, most))),
  };
}

export const BLOB_CASES: readonly ColumnCase[] = [
  bytes('binary_9', 'BINARY', 'binary(9)', 9),
  bytes('binary_255', 'BINARY', 'binary(255)', 255),
  bytes('varbinary_40', 'VARBINARY', 'varbinary(40)', 40),
  bytes('varbinary_400', 'VARBINARY', 'varbinary(400)', 400),
  bytes('char_binary', 'CHAR … CHARACTER SET binary', 'char(12) character set binary', 12),
  ...['tiny', '', 'medium', 'long'].map((size) =>
    bytes(`${size}blob`, 'TINYBLOB, BLOB, MEDIUMBLOB, LONGBLOB', `${size}blob`, 250),
  ),
  {
    kind: 'column',
    id: 'blob_large',
    title: 'TINYBLOB, BLOB, MEDIUMBLOB, LONGBLOB',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'mediumblob',
    large: true,
    values: [
      `REPEAT(X'275C00',50000)`,
      `REPEAT(X'41',300000)`,
      `REPEAT(X'00FF5C270A0D1A08',9000)`,
      `REPEAT(X'27',70000)`,
    ],
    random: (chance) => hexLiteral(chance.bytes(chance.int(900, 1100))),
  },
];
