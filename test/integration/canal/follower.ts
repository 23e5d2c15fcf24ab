import { expect } from 'vitest';
import type { FeedItem } from '../../../canal/source/dump-stream.ts';
import { openDump } from '../../../canal/source/open-dump.ts';
import { ReconnectingDump } from '../../../canal/source/reconnecting-dump.ts';
import type { SourceFacts } from '../../../canal/source/source-facts.ts';
import { TransactionEnds } from '../../../canal/source/transaction-ends.ts';
import { waitFor } from '../../../lib/abort.ts';
import { isAbort } from '../../../lib/errors.ts';
import { GtidSet, gtidSetOf } from '../../../model/gtid-set.ts';
import { MariadbPosition, mariadbPositionOf } from '../../../model/mariadb-gtid.ts';
import { filePosition, formOf, type PositionText } from '../../../model/position.ts';
import { endpointFor, isHeartbeat, PATIENCE_MS } from './source-fixture.ts';

let lastServerId = 60_000;

/** A consumer that counts whole transactions and goes on from the last one. */
export class Follower {
  readonly interruptions: string[] = [];
  /** `file:start-end` of each whole transaction. */
  readonly transactions: string[] = [];
  readonly troubles: string[] = [];
  heartbeats = 0;
  /** While true nothing is taken. */
  stalled = false;
  readonly dump: ReconnectingDump;
  readonly serverId: number;
  readonly #facts: SourceFacts;
  readonly #stop = new AbortController();
  #ends = new TransactionEnds();
  #position: PositionText;
  #set = new GtidSet();
  #mariadb = new MariadbPosition();
  #done: Promise<void> = Promise.resolve();

  constructor(port: number, facts: SourceFacts, start: PositionText) {
    this.#facts = facts;
    this.#position = start;
    if (formOf(start) === 'mysql') this.#set = gtidSetOf(start);
    if (formOf(start) === 'mariadb') this.#mariadb = mariadbPositionOf(start);
    this.serverId = ++lastServerId;
    const { serverId } = this;
    this.dump = new ReconnectingDump({
      open: (from, signal) =>
        openDump({ endpoint: endpointFor({ port }), serverId, start: from, heartbeatMs: 300 }, signal),
      resume: () => this.#position,
      backoff: { initialMs: 20, maxMs: 200 },
      onTrouble: (trouble) => this.troubles.push(trouble?.code ?? 'well'),
    });
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new DOMException('stop', 'AbortError'));
    await this.dump.close();
    await this.#done;
  }

  async reaches(transactions: number): Promise<void> {
    await waitFor(() => this.transactions.length >= transactions, {
      timeoutMs: PATIENCE_MS,
      what: `${transactions} transactions (${this.transactions.length} have come, ${this.troubles.join(' ')})`,
    });
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        if (!this.stalled)
          for (let item = this.dump.next(); item !== null; item = this.dump.next()) this.#take(item);
        if (this.stalled) await new Promise((resolve) => setTimeout(resolve, 20));
        else await this.dump.fill(this.#stop.signal);
      }
    } catch (error) {
      if (!isAbort(error)) throw error;
    }
  }

  #take(item: FeedItem): void {
    if (item.kind === 'interrupted') {
      this.interruptions.push(item.reason);
      this.#ends = new TransactionEnds();
      return;
    }
    if (isHeartbeat(item)) this.heartbeats += 1;
    const end = this.#ends.push(item);
    if (end === null) return;
    const { gtid } = end;
    if (gtid?.flavour === 'mysql') this.#set.add(gtid);
    if (gtid?.flavour === 'mariadb') this.#mariadb.advance(gtid);
    this.#position = !this.#facts.gtids
      ? filePosition(this.#facts.identity, end.end)
      : this.#facts.flavour === 'mysql'
        ? this.#set.toPosition()
        : this.#mariadb.toPosition();
    this.transactions.push(`${end.start.file}:${end.start.offset}-${end.end.offset}`);
  }
}

/** Each begins where the one before ended (files aside): nothing missing, nothing twice. */
export function expectNoGap(transactions: readonly string[]): void {
  const places = transactions.map((text) => /^(.*):([0-9]+)-([0-9]+)$/.exec(text)?.slice(1) ?? []);
  for (const [index, [file, start]] of places.entries()) {
    const before = places[index - 1];
    if (before !== undefined && before[0] === file) expect(start).toBe(before[2]);
  }
  expect(new Set(transactions).size).toBe(transactions.length);
}
