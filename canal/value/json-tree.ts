/**
 * A binary JSON document taken apart, to be changed, and put together again. Scalars stay the bytes they are.
 */
import { HoltError } from '../../lib/errors.ts';
import { JSON_TYPE, type JsonReader, type JsonValue, MAX_JSON_DEPTH } from './json-binary.ts';

export type JsonTree =
  | { readonly kind: 'object'; readonly members: { readonly key: Buffer; value: JsonTree }[] }
  | { readonly kind: 'array'; readonly items: JsonTree[] }
  /** `bytes` as the value has them outside a container's head. */
  | { readonly kind: 'scalar'; readonly type: number; readonly bytes: Buffer };

export function readJsonTree(reader: JsonReader, value: JsonValue, depth = 0): JsonTree {
  if (depth > MAX_JSON_DEPTH) throw tooDeep();
  const { buf } = reader;
  switch (value.type) {
    case JSON_TYPE.smallObject:
    case JSON_TYPE.largeObject:
      return {
        kind: 'object',
        members: Array.from(reader.members(value), ({ keyStart, keyEnd, value: member }) => ({
          key: buf.subarray(keyStart, keyEnd),
          value: readJsonTree(reader, member, depth + 1),
        })),
      };
    case JSON_TYPE.smallArray:
    case JSON_TYPE.largeArray:
      return {
        kind: 'array',
        items: Array.from(reader.members(value), (member) => readJsonTree(reader, member.value, depth + 1)),
      };
    case JSON_TYPE.literal:
      return scalar(value.type, Buffer.from([reader.literal(value)]));
    case JSON_TYPE.int16:
    case JSON_TYPE.uint16:
      return scalar(value.type, buf.subarray(value.start, value.start + 2));
    case JSON_TYPE.string: {
      const { end } = reader.string(value);
      return scalar(value.type, buf.subarray(value.start, end));
    }
    case JSON_TYPE.opaque: {
      const { end } = reader.opaque(value);
      return scalar(value.type, buf.subarray(value.start, end));
    }
    default:
      return scalar(value.type, buf.subarray(value.start, value.end));
  }
}

function scalar(type: number, bytes: Buffer): JsonTree {
  return { kind: 'scalar', type, bytes };
}

/** The document's bytes, its type first. */
export function jsonTreeBytes(tree: JsonTree): Buffer {
  const { type, bytes } = encode(tree, 0);
  return Buffer.concat([Buffer.from([type]), bytes]);
}

interface Encoded {
  readonly type: number;
  readonly bytes: Buffer;
}

const SMALL_LIMIT = 0xffff;

function encode(tree: JsonTree, depth: number): Encoded {
  if (depth > MAX_JSON_DEPTH) throw tooDeep();
  if (tree.kind === 'scalar') return tree;
  const keys = tree.kind === 'object' ? tree.members.map(({ key }) => key) : [];
  const values =
    tree.kind === 'object'
      ? tree.members.map(({ value }) => encode(value, depth + 1))
      : tree.items.map((item) => encode(item, depth + 1));
  const small = encodeContainer(keys, values, false);
  const isObject = tree.kind === 'object';
  if (small !== null) return { type: isObject ? JSON_TYPE.smallObject : JSON_TYPE.smallArray, bytes: small };
  const large = encodeContainer(keys, values, true);
  if (large === null) throw new HoltError('HOLT_VALUE_INVALID', 'a JSON document beyond 4 GiB');
  return { type: isObject ? JSON_TYPE.largeObject : JSON_TYPE.largeArray, bytes: large };
}

/** Null where offsets of this width do not reach. `keys` is empty for arrays (and empty objects, which are the same). */
function encodeContainer(keys: readonly Buffer[], values: readonly Encoded[], large: boolean): Buffer | null {
  const width = large ? 4 : 2;
  const count = values.length;
  const entries = 2 * width + keys.length * (width + 2);
  const head = entries + count * (1 + width);
  const keyBytes = keys.reduce((sum, key) => sum + key.length, 0);
  const apart = values.filter((value) => !isInline(value.type, large));
  const size = head + keyBytes + apart.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (!large && (size > SMALL_LIMIT || count > SMALL_LIMIT)) return null;
  if (size > 0xffff_ffff) return null;
  const out = Buffer.alloc(size);
  out.writeUIntLE(count, 0, width);
  out.writeUIntLE(size, width, width);
  let at = head;
  keys.forEach((key, i) => {
    const entry = 2 * width + i * (width + 2);
    out.writeUIntLE(at, entry, width);
    out.writeUInt16LE(key.length, entry + width);
    at += key.copy(out, at);
  });
  values.forEach(({ type, bytes }, i) => {
    const entry = entries + i * (1 + width);
    out.writeUInt8(type, entry);
    if (isInline(type, large)) {
      const negative = type === JSON_TYPE.int16 && bytes.readInt16LE(0) < 0;
      out.fill(negative ? 0xff : 0, entry + 1, entry + 1 + width);
      bytes.copy(out, entry + 1);
    } else {
      out.writeUIntLE(at, entry + 1, width);
      at += bytes.copy(out, at);
    }
  });
  return out;
}

function isInline(type: number, large: boolean): boolean {
  return (
    type === JSON_TYPE.literal ||
    type === JSON_TYPE.int16 ||
    type === JSON_TYPE.uint16 ||
    (large && (type === JSON_TYPE.int32 || type === JSON_TYPE.uint32))
  );
}

function tooDeep(): HoltError {
  return new HoltError('HOLT_VALUE_INVALID', `a JSON document is deeper than ${MAX_JSON_DEPTH}`);
}
