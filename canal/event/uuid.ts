import type { ByteReader } from './byte-reader.ts';

const UUID_BYTES = 16;

/** 16 bytes as a UUID in lower case with dashes, as the servers print it. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** Reads UUIDs of which most are the one before: those give the same string. */
export class UuidReader {
  #bytes: Buffer = Buffer.alloc(0);
  #text = '';

  read(reader: ByteReader): string {
    if (this.#bytes.length === UUID_BYTES && reader.nextIs(this.#bytes)) {
      reader.skip(UUID_BYTES);
      return this.#text;
    }
    this.#bytes = Buffer.from(reader.bytes(UUID_BYTES));
    this.#text = uuidText(this.#bytes);
    return this.#text;
  }
}
