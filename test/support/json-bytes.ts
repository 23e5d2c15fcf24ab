import { type JsonTree, jsonTreeBytes } from '../../canal/value/json-tree.ts';

/** MySQL's binary JSON of a JavaScript value; numbers as the server's parser would type them. */
export function jsonBytes(value: unknown): Buffer {
  return jsonTreeBytes(jsonTree(value));
}

export function jsonTree(value: unknown): JsonTree {
  if (value === null) return scalar(4, Buffer.from([0]));
  if (typeof value === 'boolean') return scalar(4, Buffer.from([value ? 1 : 2]));
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'utf8');
    return scalar(12, Buffer.concat([varlen(bytes.length), bytes]));
  }
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return scalar(9, bytes);
  }
  if (typeof value === 'number') return number(value);
  if (Array.isArray(value)) return { kind: 'array', items: value.map(jsonTree) };
  const members = Object.entries(value as Record<string, unknown>)
    .map(([key, member]) => ({ key: Buffer.from(key, 'utf8'), value: jsonTree(member) }))
    .sort((a, b) => a.key.length - b.key.length || a.key.compare(b.key));
  return { kind: 'object', members };
}

function number(value: number): JsonTree {
  const bytes = Buffer.alloc(8);
  if (!Number.isInteger(value) || Object.is(value, -0) || Math.abs(value) > 0x7fff_ffff) {
    bytes.writeDoubleLE(value);
    return scalar(11, bytes);
  }
  if (value >= -0x8000 && value <= 0x7fff) {
    bytes.writeInt16LE(value);
    return scalar(5, bytes.subarray(0, 2));
  }
  bytes.writeInt32LE(value);
  return scalar(7, bytes.subarray(0, 4));
}

function scalar(type: number, bytes: Buffer): JsonTree {
  return { kind: 'scalar', type, bytes };
}

export function varlen(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
