/**
 * MariaDB 12.3's PARTIAL_ROW_DATA: a rows event that is too large for one packet, in fragments.
 *
 *     u32 fragments in all · u32 number of this one, from 1 · u8 flags · [flags & 1: u64 size of the whole event] · chunk
 *
 * The chunks in order are the rows event with its common header. The size stands in the first fragment.
 * Source: https://mariadb.com/kb/en/partial_row_data_event/ (MDEV-32570).
 */
import { HoltError } from '../../lib/errors.ts';
import type { ByteReader } from './byte-reader.ts';

const HAS_SIZE = 0x01;

/** Puts fragments together; one at a time, in order. */
export class PartialRowData {
  readonly #maxBytes: number;
  #whole: Buffer | null = null;
  #filled = 0;
  #fragments = 0;
  #last = 0;

  /** @param maxBytes the largest event that is put together. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True between a first and a last fragment: no other event may come then. */
  get pending(): boolean {
    return this.#whole !== null;
  }

  /** Forgets what was begun (a new connection or file). */
  reset(): void {
    this.#whole = null;
  }

  /**
   * Takes the next fragment; returns the whole event with the last one, else null.
   * @throws HOLT_EVENT_CORRUPT for a fragment out of order, HOLT_EVENT_TOO_LARGE beyond the limit.
   */
  add(reader: ByteReader): Buffer | null {
    const fragments = reader.u32();
    const number = reader.u32();
    const flags = reader.u8();
    if ((flags & HAS_SIZE) !== 0) this.#begin(reader, reader.safeU64(), fragments);
    const whole = this.#whole;
    const chunk = reader.rest();
    if (whole === null || number !== this.#last + 1 || fragments !== this.#fragments || number > fragments) {
      this.reset();
      return reader.fail(`fragment ${number} of ${fragments} after ${this.#last} of ${this.#fragments}`);
    }
    if (chunk.length > whole.length - this.#filled) {
      this.reset();
      return reader.fail('fragments longer than their event');
    }
    this.#filled += chunk.copy(whole, this.#filled);
    this.#last = number;
    if (number < fragments) return null;
    this.reset();
    if (this.#filled !== whole.length) return reader.fail('fragments shorter than their event');
    return whole;
  }

  #begin(reader: ByteReader, size: number, fragments: number): void {
    if (size > this.#maxBytes)
      throw new HoltError('HOLT_EVENT_TOO_LARGE', `a fragmented rows event has ${size} bytes`, {
        facts: { size, maxBytes: this.#maxBytes },
      });
    // Fragments are of about equal size: a small first one cannot announce a huge whole.
    if (size > (reader.remaining + 1024) * fragments) reader.fail(`${size} bytes in ${fragments} fragments`);
    this.#whole = Buffer.allocUnsafe(size);
    this.#filled = 0;
    this.#fragments = fragments;
    this.#last = 0;
  }
}
