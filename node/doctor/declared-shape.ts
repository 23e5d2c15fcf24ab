/**
 * The shape with which a table's rows will stand in the log, from what INFORMATION_SCHEMA says of it now: so that filters, mapping and
 * target can be tried before the first row. The inverse of `canal/schema/declared-type.ts`.
 */

import type { ColumnFacts, TableFacts } from '../../canal/schema/table-facts.ts';
import { TYPE } from '../../canal/value/column-type.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';

export function declaredShape(schema: string, table: string, facts: TableFacts): TableShape {
  const columns = facts.columns.map(columnShape);
  const names = columns.map((column) => column.name);
  const unique = facts.uniqueKeys.find(
    (key) =>
      !key.partial &&
      key.columns.every((name) => facts.columns.find((column) => column.name === name)?.nullable === false),
  );
  const key = facts.primaryKey.length > 0 ? facts.primaryKey : (unique?.columns ?? []);
  return {
    schema,
    table,
    columns,
    key: key.map((name) => names.indexOf(name)),
    hasPrimaryKey: facts.primaryKey.length > 0,
  };
}

function columnShape(fact: ColumnFacts): ColumnShape {
  const [type, meta] = typeOf(fact);
  return {
    name: fact.name,
    type,
    meta,
    nullable: fact.nullable ?? true,
    unsigned: /\b(?:unsigned|zerofill)\b/.test(fact.declared),
    collation: fact.collation,
    carrier: 'binlog',
    declared: fact.declared,
  };
}

/** Type code and metadata as in `ColumnShape`; what is not known is taken for bytes of any length. */
function typeOf(fact: ColumnFacts): readonly [type: number, meta: number] {
  const [, name = '', argument = ''] = /^([a-z0-9_]+)(?:\(([^)]*)\))?/.exec(fact.declared) ?? [];
  const length = Number(fact.octetLength ?? 0n);
  switch (name) {
    case 'tinyint':
    case 'bool':
    case 'boolean':
      return [TYPE.tiny, 0];
    case 'smallint':
      return [TYPE.short, 0];
    case 'mediumint':
      return [TYPE.int24, 0];
    case 'int':
    case 'integer':
      return [TYPE.long, 0];
    case 'bigint':
      return [TYPE.longlong, 0];
    case 'float':
      return [TYPE.float, 4];
    case 'double':
    case 'real':
      return [TYPE.double, 8];
    case 'decimal':
    case 'numeric': {
      const [precision = '10', scale = '0'] = argument.split(',');
      return [TYPE.newDecimal, (Number(precision) << 8) | Number(scale)];
    }
    case 'year':
      return [TYPE.year, 0];
    case 'date':
      return [TYPE.date, 0];
    case 'time':
      return [TYPE.time2, Number(argument)];
    case 'datetime':
      return [TYPE.datetime2, Number(argument)];
    case 'timestamp':
      return [TYPE.timestamp2, Number(argument)];
    case 'char':
    case 'binary':
      return [TYPE.string, length];
    case 'varchar':
    case 'varbinary':
      return [TYPE.varchar, length];
    case 'tinytext':
    case 'tinyblob':
      return [TYPE.blob, 1];
    case 'text':
    case 'blob':
      return [TYPE.blob, 2];
    case 'mediumtext':
    case 'mediumblob':
      return [TYPE.blob, 3];
    case 'longtext':
    case 'longblob':
      return [TYPE.blob, 4];
    case 'json':
      return [TYPE.json, 4];
    case 'enum':
      return [TYPE.enum, 1];
    case 'set':
      return [TYPE.set, 1];
    case 'bit': {
      const bits = Number(argument === '' ? '1' : argument);
      return [TYPE.bit, ((bits >> 3) << 8) | (bits & 7)];
    }
    case 'uuid':
    case 'inet6':
      return [TYPE.string, 16];
    case 'inet4':
      return [TYPE.string, 4];
    case 'geometry':
    case 'point':
    case 'linestring':
    case 'polygon':
    case 'multipoint':
    case 'multilinestring':
    case 'multipolygon':
    case 'geometrycollection':
    case 'geomcollection':
      return [TYPE.geometry, 4];
    case 'vector':
      return [TYPE.varchar, length];
    default:
      return [TYPE.blob, 4];
  }
}
