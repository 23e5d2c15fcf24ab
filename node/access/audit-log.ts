/**
 * The audit log: who did what when, from where, why, and what came of it. One record each in the coordination tree, under the day;
 * nothing of Holt ever changes one, and only those that are older than the retention are taken away. Each names the one before
 * from the same process, so that a missing one shows. The node's own log has a line for each, too.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import { type AuditRecord, auditPath, auditRecord, type Sealer, sealer } from './records.ts';

const DAY_MS = 86_400_000;
const DEADLINE_MS = 5_000;
/** Entries that wait while the tree is away; more are in the node's log only. */
const MAX_WAITING = 1_000;
/** Of one day; more are in the node's log only. A parent with many more children could not be listed. */
const MAX_A_DAY = 10_000;
const RETRY_MS = 5_000;

export type AuditEntry = Omit<AuditRecord, 'version' | 'atMs' | 'node' | 'previous'>;

export interface AuditView extends Omit<AuditRecord, 'version'> {
  readonly id: string;
}

export interface AuditQuery {
  readonly limit: number;
  /** Only entries before this one; null for the newest. */
  readonly before: string | null;
  readonly matches: (entry: AuditView) => boolean;
}

export interface AuditLogOptions {
  readonly tree: CoordinationTree;
  readonly key: Buffer;
  readonly node: string;
  readonly retentionDays: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #sealer: Sealer<AuditRecord>;
  readonly #waiting: { readonly id: string; readonly record: AuditRecord }[] = [];
  readonly #listeners = new Set<(entry: AuditView) => void>();
  readonly #stop = new AbortController();
  #previous: string | null = null;
  #writing: Promise<void> | null = null;
  #today = '';
  #countToday = 0;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#sealer = sealer(auditRecord, options.key);
  }

  /** Never throws and does not wait long: the deed is done, and must be answered. Resolves when it is written, or waits for the tree. */
  async add(entry: AuditEntry): Promise<void> {
    const { clock, node, log } = this.#options;
    const atMs = Math.round(clock.nowMs());
    const id = `${String(atMs).padStart(15, '0')}-${randomBytes(4).toString('hex')}`;
    const record: AuditRecord = { version: 1, atMs, node, ...cut(entry), previous: this.#previous };
    this.#previous = id;
    log.info({ event: 'audit', audit: { id, ...record } }, 'an operation was asked for');
    if (this.#waiting.length >= MAX_WAITING) {
      log.error(
        { event: 'audit:full', id },
        'an audit entry stands in this log only: too many wait for the tree',
      );
      return;
    }
    this.#waiting.push({ id, record });
    for (const listener of this.#listeners) listener(viewOf(id, record));
    await this.#write();
  }

  /** Called for what this node adds. */
  watch(listener: (entry: AuditView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Newest first. `next` is the cursor for what is older; null at the end. */
  async list({ limit, before, matches }: AuditQuery): Promise<{
    readonly items: readonly AuditView[];
    readonly next: string | null;
  }> {
    const items: AuditView[] = [];
    for (const day of (await this.#children(auditPath)).filter(isDay).toReversed()) {
      if (before !== null && day > dayOf(Number(before.slice(0, 15)))) continue;
      const names = (await this.#children(`${auditPath}/${day}`)).toReversed();
      for (const id of names) {
        if (before !== null && id >= before) continue;
        const entry = await this.#read(day, id);
        if (entry === null || !matches(entry)) continue;
        if (items.length === limit) return { items, next: items.at(-1)?.id ?? null };
        items.push(entry);
      }
    }
    return { items, next: null };
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#writing?.catch(() => {});
    if (this.#waiting.length > 0)
      this.#options.log.warn(
        { event: 'audit:unwritten', entries: this.#waiting.length },
        'audit entries stand in this log only: the tree was away',
      );
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        await this.#writeOne(first.id, first.record);
        this.#waiting.shift();
      } catch (error) {
        this.#options.log.warn(
          { event: 'audit:waits', reason: messageOf(error), entries: this.#waiting.length },
          'audit entries wait for the tree',
        );
        if (!this.#stop.signal.aborted)
          this.#options.clock.sleep(RETRY_MS, this.#stop.signal).then(
            () => this.#write(),
            () => {},
          );
        return;
      }
    }
  }

  async #writeOne(id: string, record: AuditRecord): Promise<void> {
    const { tree, log } = this.#options;
    const day = dayOf(record.atMs);
    const parent = `${auditPath}/${day}`;
    const options = { deadlineMs: DEADLINE_MS };
    if (day !== this.#today) {
      await tree.ensurePath(parent, options);
      this.#countToday = (await this.#children(parent)).length;
      this.#today = day;
      await this.#forgetOld(record.atMs);
    }
    if (this.#countToday >= MAX_A_DAY) {
      log.error({ event: 'audit:full', id }, 'an audit entry stands in this log only: the day has too many');
      return;
    }
    const path = `${parent}/${id}`;
    try {
      await tree.create(path, this.#sealer.write(record, path), options);
    } catch (error) {
      // A write whose answer was lost is found again here.
      if (!isTreeError(error, 'node-exists')) {
        if (isTreeError(error, 'no-node')) this.#today = '';
        throw error;
      }
    }
    this.#countToday += 1;
  }

  async #forgetOld(nowMs: number): Promise<void> {
    const { tree, retentionDays, log } = this.#options;
    const oldest = dayOf(nowMs - retentionDays * DAY_MS);
    for (const day of (await this.#children(auditPath)).filter(isDay)) {
      if (day >= oldest) continue;
      for (const id of await this.#children(`${auditPath}/${day}`))
        await tree.remove(`${auditPath}/${day}/${id}`, 'any').catch(ignoreGone);
      await tree.remove(`${auditPath}/${day}`, 'any').catch(ignoreGone);
      log.info({ event: 'audit:forgotten', day }, 'audit entries older than their retention were removed');
    }
  }

  async #children(path: string): Promise<readonly string[]> {
    return (await this.#options.tree.children(path, { deadlineMs: DEADLINE_MS }))?.names ?? [];
  }

  async #read(day: string, id: string): Promise<AuditView | null> {
    const path = `${auditPath}/${day}/${id}`;
    const node = await this.#options.tree.get(path, { deadlineMs: DEADLINE_MS });
    if (node === null) return null;
    try {
      return viewOf(id, this.#sealer.read(node.data, path));
    } catch (error) {
      this.#options.log.error({ event: 'audit:foreign', path, err: error }, 'an audit entry is not ours');
      return null;
    }
  }
}

function viewOf(id: string, { version: _version, ...rest }: AuditRecord): AuditView {
  return { id, ...rest };
}

const isDay = (name: string) => /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(name);

function dayOf(ms: number): string {
  return new Date(Number.isFinite(ms) ? ms : 0).toISOString().slice(0, 10);
}

function ignoreGone(error: unknown): void {
  if (!isTreeError(error, 'no-node', 'not-empty')) throw error;
}

function cut(entry: AuditEntry): AuditEntry {
  return {
    ...entry,
    who: entry.who.slice(0, 256),
    from: entry.from.slice(0, 64),
    object: entry.object.slice(0, 512),
    detail: entry.detail.slice(0, 4096),
    reason: entry.reason.slice(0, 4096),
  };
}
