/**
 * Configurations that ruled a pipeline, each under `/seda/pipeline/{pipeline}/history` in a znode of its own that is never changed.
 *
 * For people only: nothing is decided by it. Every node that takes a configuration sees to its being there, so that one is kept even if whoever
 * wrote it was gone a moment later.
 */
import type { PipelineId } from '../model/ids.ts';
import type { ConfigHistory, KeptConfig } from './contract.ts';
import { historyPath } from './paths.ts';
import { jsonRecord } from './record.ts';
import { withSignal } from './record-node.ts';
import { type StoredConfig, storedConfig } from './records.ts';
import type { CoordinationTree } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';

/** Newest that are kept of a pipeline. */
const MAX_KEPT = 50;
const NAME = /^[0-9]{15}-[0-9a-f]{12}$/;
const codec = jsonRecord(storedConfig);

/** When it was written, and what it says: the same text written again is another entry. */
export function configIdOf({ writtenMs, digest }: Pick<StoredConfig, 'writtenMs' | 'digest'>): string {
  return `${String(Math.round(writtenMs)).padStart(15, '0')}-${digest.slice(0, 12)}`;
}

export class TreeConfigHistory implements ConfigHistory {
  readonly #tree: CoordinationTree;
  readonly #path: string;

  constructor(tree: CoordinationTree, pipeline: PipelineId) {
    this.#tree = tree;
    this.#path = historyPath(pipeline);
  }

  async keep(config: StoredConfig, signal?: AbortSignal): Promise<void> {
    const options = withSignal(signal);
    const path = `${this.#path}/${configIdOf(config)}`;
    // A read costs the ensemble nothing, and mostly it is there: every node comes by here.
    if ((await this.#tree.exists(path, options)) !== null) return;
    await this.#tree.ensurePath(this.#path, options);
    try {
      await this.#tree.create(path, codec.encode(config), options);
    } catch (error) {
      if (!isTreeError(error, 'node-exists')) throw error;
    }
    for (const old of (await this.#names(signal)).slice(MAX_KEPT)) await this.#remove(old, signal);
  }

  async list(signal?: AbortSignal): Promise<readonly KeptConfig[]> {
    const found = await Promise.all((await this.#names(signal)).map((id) => this.get(id, signal)));
    return found.filter((one) => one !== null);
  }

  async get(id: string, signal?: AbortSignal): Promise<KeptConfig | null> {
    if (!NAME.test(id)) return null;
    const path = `${this.#path}/${id}`;
    const value = await this.#tree.get(path, withSignal(signal));
    return value === null ? null : { id, config: codec.decode(value.data, path) };
  }

  /** Newest first. */
  async #names(signal?: AbortSignal): Promise<readonly string[]> {
    const names = (await this.#tree.children(this.#path, withSignal(signal)))?.names ?? [];
    return names
      .filter((name) => NAME.test(name))
      .sort()
      .reverse();
  }

  async #remove(id: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#tree.remove(`${this.#path}/${id}`, 'any', withSignal(signal));
    } catch (error) {
      if (!isTreeError(error, 'no-node')) throw error;
    }
  }
}
