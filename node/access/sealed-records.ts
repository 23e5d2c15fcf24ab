/** One kind of access records in the tree: read through a short memory, so that a busy page asks ZooKeeper once a second or two. */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import type { Sealer } from './records.ts';

/** What was read is believed so long: a change at another node takes effect within it. */
const FRESH_MS = 2_000;
/** While the tree is away, what was read last stands in so long. */
const STALE_MS = 60_000;
const MAX_REMEMBERED = 2_000;
const DEADLINE_MS = 3_000;

export interface SealedRecordsOptions<T> {
  readonly tree: CoordinationTree;
  readonly sealer: Sealer<T>;
  /** Path of the parent. */
  readonly parent: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
}

export class SealedRecords<T> {
  readonly #options: SealedRecordsOptions<T>;
  readonly #remembered = new Map<string, { readonly at: number; readonly found: Versioned<T> | null }>();

  constructor(options: SealedRecordsOptions<T>) {
    this.#options = options;
  }

  /** As it was at most two seconds ago; null when there is none, or it is not sealed by us. */
  async get(id: string): Promise<T | null> {
    const { clock, tree } = this.#options;
    const known = this.#remembered.get(id);
    if (known !== undefined) {
      const age = clock.monotonicMs() - known.at;
      if (age < FRESH_MS || (age < STALE_MS && tree.sessionState !== 'connected'))
        return known.found?.value ?? null;
    }
    return (await this.read(id))?.value ?? null;
  }

  /** As it is now. */
  async read(id: string): Promise<Versioned<T> | null> {
    const { tree, clock, sealer, log } = this.#options;
    const path = this.#path(id);
    const at = clock.monotonicMs();
    const node = await tree.get(path, { deadlineMs: DEADLINE_MS });
    let found: Versioned<T> | null = null;
    if (node !== null)
      try {
        found = { value: sealer.read(node.data, path), version: node.stat.version };
      } catch (error) {
        log.error(
          { event: 'access:record:foreign', path, err: error },
          'an access record is not ours and does not count',
        );
      }
    this.#remember(id, { at, found });
    return found;
  }

  async names(): Promise<readonly string[]> {
    const { tree, parent } = this.#options;
    return (await tree.children(parent, { deadlineMs: DEADLINE_MS }))?.names ?? [];
  }

  /** Every record that is ours, by name. */
  async list(): Promise<readonly T[]> {
    const found = await Promise.all((await this.names()).map((name) => this.read(name)));
    return found.flatMap((one) => (one === null ? [] : [one.value]));
  }

  /** @throws TreeError node-exists. */
  async create(id: string, value: T): Promise<void> {
    const { tree, parent, sealer } = this.#options;
    const path = this.#path(id);
    const data = sealer.write(value, path);
    this.#remembered.delete(id);
    try {
      await tree.create(path, data, { deadlineMs: DEADLINE_MS });
    } catch (error) {
      if (!isTreeError(error, 'no-node')) throw error;
      await tree.ensurePath(parent, { deadlineMs: DEADLINE_MS });
      await tree.create(path, data, { deadlineMs: DEADLINE_MS });
    }
  }

  /** @throws TreeError bad-version, no-node. */
  async replace(id: string, value: T, version: number): Promise<void> {
    const { tree, sealer } = this.#options;
    const path = this.#path(id);
    this.#remembered.delete(id);
    await tree.set(path, sealer.write(value, path), version, { deadlineMs: DEADLINE_MS });
  }

  /** @returns whether it was there. */
  async remove(id: string): Promise<boolean> {
    this.#remembered.delete(id);
    try {
      await this.#options.tree.remove(this.#path(id), 'any', { deadlineMs: DEADLINE_MS });
      return true;
    } catch (error) {
      if (isTreeError(error, 'no-node')) return false;
      throw error;
    }
  }

  #path(id: string): string {
    return `${this.#options.parent}/${id}`;
  }

  #remember(id: string, entry: { readonly at: number; readonly found: Versioned<T> | null }): void {
    if (this.#remembered.size >= MAX_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.delete(id);
    this.#remembered.set(id, entry);
  }
}
