import { DivergenceSignal } from '../load.ts';

/** What a statement takes beside its text. */
export const PACKET_MARGIN = 64;

/**
 * A single row makes a statement larger than the target takes (`max_allowed_packet`): it must not be sent, since the server would close the
 * connection. The batch goes row by row, and this row's change to the ledger.
 */
export class RowTooLargeSignal extends DivergenceSignal {
  /** Of the statement. */
  readonly bytes: number;
  readonly maxAllowedPacket: number;

  constructor(table: string, bytes: number, maxAllowedPacket: number) {
    super(
      `a row of ${table} makes a statement of ${bytes} bytes, more than the target takes (max_allowed_packet is ${maxAllowedPacket})`,
    );
    this.bytes = bytes;
    this.maxAllowedPacket = maxAllowedPacket;
  }
}

/** @throws RowTooLargeSignal */
export function checkPacket(table: string, bytes: number, maxAllowedPacket: number): void {
  if (bytes + PACKET_MARGIN > maxAllowedPacket) throw new RowTooLargeSignal(table, bytes, maxAllowedPacket);
}
