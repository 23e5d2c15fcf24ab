/**
 * The events of a binlog file, as bytes: `fe 'bin'`, then events back to back.
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html, "Binlog File".
 */
import { type FileHandle, open } from 'node:fs/promises';
import { HoltError } from '../../lib/errors.ts';
import { EVENT_CODE } from './event-code.ts';
import { HEADER_BYTES } from './header.ts';

export const MAGIC = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
/** What stands in place of the magic when MySQL encrypts its logs. */
const ENCRYPTED_MAGIC = Buffer.from([0xfd, 0x62, 0x69, 0x6e]);
const READ_BYTES = 1024 * 1024;
const DEFAULT_MAX_EVENT_BYTES = 1024 * 1024 * 1024 + 1024 * 1024;

export interface FileEvent {
  /** Where the event begins in the file. */
  readonly offset: number;
  /** The whole event: header, body, checksum. In memory of its own unless small ones share a chunk; never written again. */
  readonly bytes: Buffer;
}

export interface FileReaderOptions {
  /** Where to begin; must be the beginning of an event. The file's format description comes first in any case. */
  readonly start?: number;
  /** Longer events are taken for damage. */
  readonly maxEventBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads a file from its beginning, or from an offset, to its present end.
 * @throws HOLT_BINLOG_FILE_INVALID for other files, encrypted ones and ones that end within an event.
 */
export async function* readBinlogFile(
  path: string,
  options: FileReaderOptions = {},
): AsyncGenerator<FileEvent, void, undefined> {
  const file = await open(path, 'r');
  try {
    const chunks = new ChunkReader(file, path, options);
    checkMagic(await chunks.take(MAGIC.length), path);
    let first = true;
    for (;;) {
      options.signal?.throwIfAborted();
      const offset = chunks.offset;
      if (await chunks.atEnd()) return;
      const length = (await chunks.peek(HEADER_BYTES)).readUInt32LE(9);
      const maxEventBytes = options.maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES;
      if (length < HEADER_BYTES || length > maxEventBytes)
        throw invalid(path, `an event of ${length} bytes at offset ${offset}`);
      const bytes = await chunks.take(length);
      yield { offset, bytes };
      if (bytes[4] === EVENT_CODE.mariadbStartEncryption)
        throw invalid(path, 'its events are encrypted; read them through the server');
      if (first && options.start !== undefined && options.start > chunks.offset) chunks.seek(options.start);
      first = false;
    }
  } finally {
    await file.close();
  }
}

function checkMagic(found: Buffer, path: string): void {
  if (found.equals(MAGIC)) return;
  if (found.equals(ENCRYPTED_MAGIC)) throw invalid(path, 'it is encrypted; read it through the server');
  throw invalid(path, `it is no binlog file, it begins with ${found.toString('hex')}`);
}

class ChunkReader {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** File offset of the chunk's end. */
  #position = 0;

  constructor(file: FileHandle, path: string, options: FileReaderOptions) {
    this.#file = file;
    this.#path = path;
    this.#signal = options.signal;
  }

  get offset(): number {
    return this.#position - (this.#chunk.length - this.#at);
  }

  seek(offset: number): void {
    this.#chunk = Buffer.alloc(0);
    this.#at = 0;
    this.#position = offset;
  }

  async atEnd(): Promise<boolean> {
    return this.#at === this.#chunk.length && !(await this.#fill(1));
  }

  async peek(length: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at < length && !(await this.#fill(length)))
      throw invalid(this.#path, `it ends within the event at offset ${this.offset}`);
    return this.#chunk.subarray(this.#at, this.#at + length);
  }

  async take(length: number): Promise<Buffer> {
    const bytes = await this.peek(length);
    this.#at += length;
    return bytes;
  }

  /** Makes a new chunk that begins with what is left and holds `length` bytes or more; false at the file's end. */
  async #fill(length: number): Promise<boolean> {
    const left = this.#chunk.subarray(this.#at);
    const chunk = Buffer.allocUnsafeSlow(Math.max(READ_BYTES, length));
    left.copy(chunk);
    let filled = left.length;
    while (filled < length) {
      this.#signal?.throwIfAborted();
      const { bytesRead } = await this.#file.read(chunk, filled, chunk.length - filled, this.#position);
      if (bytesRead === 0) break;
      filled += bytesRead;
      this.#position += bytesRead;
    }
    this.#chunk = chunk.subarray(0, filled);
    this.#at = 0;
    return filled >= length;
  }
}

function invalid(path: string, why: string): HoltError {
  return new HoltError('HOLT_BINLOG_FILE_INVALID', `${path}: ${why}`, {
    disposition: 'fatal',
    facts: { path },
  });
}
