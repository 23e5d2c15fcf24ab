const NOTHING = Buffer.alloc(0);
const RUN_PACKETS = 1024;

/** Payloads that came one behind the other, each in a packet of its own, in one memory. What is found of them is written here, run after run. */
export class PacketRun {
  /** Where each payload begins and ends. */
  readonly starts = new Int32Array(RUN_PACKETS);
  readonly ends = new Int32Array(RUN_PACKETS);
  memory: Buffer = NOTHING;
  count = 0;

  begin(memory: Buffer): void {
    this.memory = memory;
    this.count = 0;
  }
}
