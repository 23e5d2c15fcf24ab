import {
  between,
  type ColumnCase,
  type ColumnTypeFamily,
  EVERYWHERE,
  type Outcome,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Columns of another type at the target';

function into(
  id: string,
  ddl: string,
  target: string,
  values: readonly string[],
  outcome: Outcome,
): ColumnCase {
  return {
    kind: 'column',
    id,
    title: `${ddl.toUpperCase()} into ${target.toUpperCase()}`,
    family: FAMILY,
    on: EVERYWHERE,
    ddl,
    values,
    random: (chance) => chance.pick(values),
    pairs: between(EVERYWHERE, EVERYWHERE, { ...outcome, ddl: target }),
  };
}

const exact: Outcome = { kind: 'exact' };

function printed(why: string): Outcome {
  return { kind: 'canonical', form: 'printed', why };
}

function refused(why: string): Outcome {
  return { kind: 'refused', code: 'HOLT_TARGET_COLUMN_TYPE', why };
}

const TEXT = printed('the column takes the text that the source prints');

export const CONVERSION_CASES: readonly ColumnCase[] = [
  into('int_into_bigint', 'int', 'bigint', ['-2147483648', '0', '2147483647'], exact),
  into('bigint_into_decimal', 'bigint', 'decimal(20,0)', ['-9223372036854775808', '9007199254740993'], exact),
  into(
    'bigint_into_varchar',
    'bigint unsigned',
    'varchar(20)',
    ['18446744073709551615', '9007199254740993', '0'],
    TEXT,
  ),
  into(
    'decimal_into_varchar',
    'decimal(30,10)',
    'varchar(40)',
    ['-12345678901234567890.0123456789', '0', '0.1'],
    TEXT,
  ),
  into('year_into_varchar', 'year', 'varchar(4)', ['0', '1901', '2155'], TEXT),
  into('time_into_varchar', 'time(3)', 'varchar(20)', ["'-838:59:59'", "'00:00:00.001'"], TEXT),
  into(
    'datetime_into_varchar',
    'datetime(6)',
    'varchar(30)',
    ["'0000-00-00'", "'2024-02-30 01:02:03.000001'"],
    TEXT,
  ),
  into(
    'timestamp_into_datetime',
    'timestamp(3) null',
    'datetime(3)',
    ["'1970-01-01 00:00:01'", "'2024-10-27 00:30:00.123'"],
    printed('the moment in UTC'),
  ),
  into('float_into_double', 'float', 'double', ['0.1', '-3.4028235e38', '16777217'], exact),
  into('char_into_varchar', 'char(10)', 'varchar(10)', ["'a '", "''", "'é'"], exact),
  into('varchar_into_varbinary', 'varchar(10)', 'varbinary(40)', ["'a '", "''", "'日本'"], exact),
  into('varchar_into_char', 'varchar(10)', 'char(10)', ["'a '"], refused('CHAR drops spaces at the end')),
  into(
    'varbinary_into_binary',
    'varbinary(10)',
    'binary(10)',
    ["'a'"],
    refused('BINARY fills values up with zero bytes'),
  ),
  into(
    'binary_into_longer',
    'binary(4)',
    'binary(8)',
    ["'a'"],
    refused('BINARY fills values up with zero bytes'),
  ),
  into('double_into_float', 'double', 'float', ['0.1'], refused('FLOAT has fewer digits')),
  into('float_into_rounding', 'float', 'float(7,3)', ['0.1'], refused('FLOAT(m,d) rounds what it is given')),
  into(
    'decimal_into_fewer',
    'decimal(10,4)',
    'decimal(10,2)',
    ['0.0001'],
    refused('the last digits would be rounded away'),
  ),
  into(
    'datetime_into_fewer',
    'datetime(6)',
    'datetime',
    ["'2024-01-01'"],
    refused('the fraction would be rounded away'),
  ),
  into(
    'datetime_into_timestamp',
    'datetime',
    'timestamp null',
    ["'2024-01-01'"],
    refused('which moment a DATETIME means depends on a time zone that the log does not name'),
  ),
  into('varchar_into_int', 'varchar(10)', 'int', ["'1'"], refused('not every text is a number')),
  into(
    'enum_into_varchar',
    "enum('a','b')",
    'varchar(10)',
    ["'a'"],
    refused('the log holds the number of a label, not the label'),
  ),
  into(
    'geometry_into_blob',
    'geometry',
    'blob',
    ['NULL'],
    refused('the bytes would be there, and no geometry'),
  ),
];
