/** Alarms in the coordination tree: what every node reads, the evaluator writes under its term, and the API adds as orders. */
import { z } from 'zod';
import { HoltError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { alarmPaths, lockOf } from '../../scheduler/paths.ts';
import { jsonRecord, type RecordCodec } from '../../scheduler/record.ts';
import { TreeRecordNode } from '../../scheduler/record-node.ts';
import type { CoordinationTree, MultiOp } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import {
  type Alarm,
  alarm,
  type Delivery,
  delivery,
  NO_ORDERS,
  type Notice,
  notice,
  type Orders,
  orders,
} from './alarms.ts';

const knownNode = z.strictObject({
  node: z.string(),
  site: z.string(),
  stages: z.array(z.string()).readonly(),
});
export type KnownNode = z.infer<typeof knownNode>;

const evaluatorRecord = z.strictObject({
  version: z.literal(1),
  node: z.string(),
  instance: z.string(),
  sinceMs: z.number(),
  /** Nodes that are there, or are missed: who takes over misses them, too. */
  nodes: z.array(knownNode).max(1000).readonly(),
});
export type EvaluatorRecord = z.infer<typeof evaluatorRecord>;

const pendingRecord = z.strictObject({ version: z.literal(1), alarms: z.array(alarm).readonly() });

const evaluatorCodec = jsonRecord(evaluatorRecord);
const pendingCodec = jsonRecord(pendingRecord);
const alarmCodec = jsonRecord(alarm);
const noticeCodec = jsonRecord(notice);
const deliveryCodec = jsonRecord(delivery);

const DEADLINE_MS = 5_000;
const options = { deadlineMs: DEADLINE_MS } as const;
/** A znode stays well below what ZooKeeper takes. */
const MAX_PENDING = 100;
const OPS_PER_MULTI = 100;
const MAX_NOTICES = 2_000;

/** A reign of an evaluator: `version` of the record goes up with each writing of it. */
export interface Term {
  readonly sessionEpoch: number;
  version: number;
}

export interface Told {
  readonly notice: Notice;
  readonly deliveries: Readonly<Record<string, Delivery>>;
}

export class AlarmStore {
  readonly #tree: CoordinationTree;
  readonly #log: Logger;
  readonly #orders: TreeRecordNode<Orders>;

  constructor({ tree, log }: { readonly tree: CoordinationTree; readonly log: Logger }) {
    this.#tree = tree;
    this.#log = log;
    this.#orders = new TreeRecordNode(tree, alarmPaths.orders, jsonRecord(orders));
  }

  // ── read by all ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Firing first, then pending; by id. */
  async alarms(): Promise<readonly Alarm[]> {
    const [firing, pending] = await Promise.all([this.#firing(), this.#pending()]);
    const ids = new Set(firing.map((one) => one.id));
    return [...firing, ...pending.filter((one) => !ids.has(one.id))];
  }

  async orders(): Promise<Orders> {
    const reading = await this.#orders.read();
    if (reading.kind === 'foreign')
      this.#log.error({ event: 'alarms:orders:foreign', err: reading.error }, 'silences cannot be read');
    return reading.kind === 'value' ? reading.value : NO_ORDERS;
  }

  /** Who evaluates; null while nobody does. */
  async evaluator(): Promise<string | null> {
    const [record, lock] = await Promise.all([
      this.record(),
      this.#tree.exists(lockOf(alarmPaths.evaluator), options),
    ]);
    return lock === null ? null : (record?.value.node ?? null);
  }

  /** Newest first: `before` is the id of the last one that is known. */
  async told(limit: number, before: string | null): Promise<readonly Told[]> {
    const names = (await this.#children(alarmPaths.notices))
      .filter((id) => before === null || id < before)
      .toReversed()
      .slice(0, limit);
    const found = await Promise.all(names.map((id) => this.notice(id)));
    return found.filter((one) => one !== null);
  }

  async notice(id: string): Promise<Told | null> {
    const found = await this.#read(alarmPaths.notice(id), noticeCodec);
    if (found === null) return null;
    const deliveries = await Promise.all(
      found.channels.map(async (channel) => [channel, await this.delivery(id, channel)] as const),
    );
    return {
      notice: found,
      deliveries: Object.fromEntries(
        deliveries.map(([channel, one]) => [
          channel,
          one ?? { state: 'waiting', atMs: found.atMs, attempts: 0, error: null },
        ]),
      ),
    };
  }

  /** Null while nobody has tried. */
  delivery(id: string, channel: string): Promise<Delivery | null> {
    return this.#read(alarmPaths.delivery(id, channel), deliveryCodec);
  }

  /** Of notices that were made after `fromMs`: those with channels that have not got it, and were not given up. */
  async undelivered(
    fromMs: number,
    isDone: (id: string) => boolean,
  ): Promise<readonly { readonly notice: Notice; readonly channels: readonly string[] }[]> {
    const first = String(Math.max(0, Math.round(fromMs))).padStart(15, '0');
    const names = (await this.#children(alarmPaths.notices)).filter((id) => id >= first && !isDone(id));
    const found = await Promise.all(names.map((id) => this.notice(id)));
    return found.flatMap((one) =>
      one === null
        ? []
        : [
            {
              notice: one.notice,
              channels: one.notice.channels.filter((name) => one.deliveries[name]?.state === 'waiting'),
            },
          ],
    );
  }

  async writeDelivery(id: string, channel: string, value: Delivery): Promise<void> {
    const path = alarmPaths.delivery(id, channel);
    const data = deliveryCodec.encode(value);
    try {
      await this.#tree.set(path, data, 'any', options);
    } catch (error) {
      if (!isTreeError(error, 'no-node')) throw error;
      // No notice, no delivery of it: it was forgotten meanwhile.
      await this.#tree.create(path, data, options).catch((failure: unknown) => {
        if (!isTreeError(failure, 'no-node', 'node-exists')) throw failure;
      });
    }
  }

  /** @throws HoltError HOLT_ALARM_BUSY when others change it all the time. */
  async changeOrders(change: (before: Orders) => Orders): Promise<Orders> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const found = await this.#orders.get();
      const next = change(found?.value ?? NO_ORDERS);
      try {
        await this.#orders.set(next, found?.version ?? 'new');
        return next;
      } catch (error) {
        if (!isTreeError(error, 'bad-version', 'node-exists', 'no-node')) throw error;
      }
    }
    throw new HoltError('HOLT_ALARM_BUSY', 'silences and acknowledgements are being changed by others', {
      disposition: 'retry',
    });
  }

  // ── written by the evaluator ─────────────────────────────────────────────────────────────────────────────────────

  async record(): Promise<{ readonly value: EvaluatorRecord; readonly version: number } | null> {
    const node = await this.#tree.get(alarmPaths.evaluator, options);
    if (node === null) return null;
    try {
      return {
        value: evaluatorCodec.decode(node.data, alarmPaths.evaluator),
        version: node.stat.version,
      };
    } catch {
      // Whoever takes it writes it anew.
      return null;
    }
  }

  async prepare(): Promise<void> {
    for (const path of [alarmPaths.firing, alarmPaths.notices, alarmPaths.evaluator])
      await this.#tree.ensurePath(path, options);
  }

  /** Data of the evaluator's record, for the multi that takes the lock. */
  encode(record: EvaluatorRecord): Buffer {
    return evaluatorCodec.encode(record);
  }

  /** @throws TreeError when the term is over. */
  async remember(term: Term, record: EvaluatorRecord): Promise<void> {
    const { version } = await this.#tree.set(alarmPaths.evaluator, this.encode(record), term.version, {
      ...options,
      epoch: term.sessionEpoch,
    });
    term.version = version;
  }

  /** From one state to the next, and what is to be told of it. Notices stand before the alarms say that they were told. @throws TreeError */
  async write(
    term: Term,
    before: ReadonlyMap<string, Alarm>,
    after: ReadonlyMap<string, Alarm>,
    notices: readonly Notice[],
  ): Promise<void> {
    const ops: MultiOp[] = notices.map((one) => ({
      op: 'create',
      path: alarmPaths.notice(one.id),
      data: noticeCodec.encode(one),
    }));
    for (const [id, one] of after) {
      if (one.state !== 'firing') continue;
      const known = before.get(id);
      const path = alarmPaths.alarm(id);
      const data = alarmCodec.encode(one);
      if (known?.state !== 'firing') ops.push({ op: 'create', path, data });
      else if (isWorthWriting(known, one)) ops.push({ op: 'set', path, data, version: 'any' });
    }
    for (const [id, one] of before)
      if (one.state === 'firing' && after.get(id)?.state !== 'firing')
        ops.push({ op: 'remove', path: alarmPaths.alarm(id), version: 'any' });
    if (pendingText(before) !== pendingText(after)) {
      const alarms = [...after.values()].filter((one) => one.state === 'pending').slice(0, MAX_PENDING);
      const data = pendingCodec.encode({ version: 1, alarms });
      const stands = (await this.#tree.exists(alarmPaths.pending, options)) !== null;
      ops.push(
        stands
          ? { op: 'set', path: alarmPaths.pending, data, version: 'any' }
          : { op: 'create', path: alarmPaths.pending, data },
      );
    }
    for (let from = 0; from < ops.length; from += OPS_PER_MULTI)
      await this.#tree.multi(
        [
          { op: 'check', path: alarmPaths.evaluator, version: term.version },
          ...ops.slice(from, from + OPS_PER_MULTI),
        ],
        { ...options, epoch: term.sessionEpoch },
      );
  }

  /** Takes notices away that are older than that, and the oldest of too many. */
  async forget(beforeMs: number): Promise<void> {
    const first = String(Math.max(0, Math.round(beforeMs))).padStart(15, '0');
    const names = await this.#children(alarmPaths.notices);
    const old = names.filter((id, index) => id < first || index < names.length - MAX_NOTICES);
    for (const id of old) {
      for (const channel of await this.#children(alarmPaths.notice(id)))
        await this.#tree.remove(alarmPaths.delivery(id, channel), 'any', options).catch(ignoreGone);
      await this.#tree.remove(alarmPaths.notice(id), 'any', options).catch(ignoreGone);
    }
  }

  async #firing(): Promise<readonly Alarm[]> {
    const ids = await this.#children(alarmPaths.firing);
    const found = await Promise.all(ids.map((id) => this.#read(alarmPaths.alarm(id), alarmCodec)));
    return found.filter((one) => one !== null);
  }

  async #pending(): Promise<readonly Alarm[]> {
    return (await this.#read(alarmPaths.pending, pendingCodec))?.alarms ?? [];
  }

  /** Null for what is not there, or not ours. */
  async #read<T>(path: string, codec: RecordCodec<T>): Promise<T | null> {
    const node = await this.#tree.get(path, options);
    if (node === null) return null;
    try {
      return codec.decode(node.data, path);
    } catch (error) {
      this.#log.error({ event: 'alarms:record:foreign', path, err: error }, 'a record of alarms is not ours');
      return null;
    }
  }

  async #children(path: string): Promise<readonly string[]> {
    return (await this.#tree.children(path, options))?.names ?? [];
  }
}

/** A figure that grows by the second is not written by the second. */
function isWorthWriting(before: Alarm, after: Alarm): boolean {
  const essence = ({ value: _value, ...rest }: Alarm) => JSON.stringify(rest);
  if (essence(before) !== essence(after)) return true;
  const [was, is] = [before.value ?? 0, after.value ?? 0];
  return Math.abs(is - was) > Math.max(1_000, was * 0.5);
}

/** What is pending and where, whatever the figures. */
function pendingText(alarms: ReadonlyMap<string, Alarm>): string {
  return [...alarms.values()]
    .filter((one) => one.state === 'pending')
    .map(({ id, stage, node, code, sinceMs }) => `${id} ${stage} ${node} ${code} ${sinceMs}`)
    .join('\n');
}

function ignoreGone(error: unknown): void {
  if (!isTreeError(error, 'no-node', 'not-empty')) throw error;
}
