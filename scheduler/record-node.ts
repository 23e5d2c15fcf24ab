import { isAbort } from '../lib/errors.ts';
import type { Reading, RecordNode, Unwatch } from './contract.ts';
import type { RecordCodec } from './record.ts';
import { isHoltError } from './refusals.ts';
import type { CoordinationTree, NodeValue } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';

/** One record in one znode of the tree. Its parents are made where they are missing. */
export class TreeRecordNode<T> implements RecordNode<T> {
  readonly path: string;
  readonly #tree: CoordinationTree;
  readonly #codec: RecordCodec<T>;

  constructor(tree: CoordinationTree, path: string, codec: RecordCodec<T>) {
    this.#tree = tree;
    this.path = path;
    this.#codec = codec;
  }

  async read(signal?: AbortSignal): Promise<Reading<T>> {
    return this.#interpret(await this.#tree.get(this.path, withSignal(signal)));
  }

  async get(signal?: AbortSignal): Promise<{ readonly value: T; readonly version: number } | null> {
    const reading = await this.read(signal);
    switch (reading.kind) {
      case 'absent':
        return null;
      case 'value':
        return reading;
      case 'foreign':
        throw reading.error;
      default:
        return reading satisfies never;
    }
  }

  async set(value: T, version: number | 'any' | 'new', signal?: AbortSignal): Promise<number> {
    const data = this.#codec.encode(value);
    const options = withSignal(signal);
    for (;;) {
      try {
        if (version !== 'new') return (await this.#tree.set(this.path, data, version, options)).version;
      } catch (error) {
        if (version !== 'any' || !isTreeError(error, 'no-node')) throw error;
      }
      try {
        return (await this.#tree.create(this.path, data, options)).version;
      } catch (error) {
        if (isTreeError(error, 'no-node')) await this.#tree.ensurePath(parentOf(this.path), options);
        else if (version !== 'any' || !isTreeError(error, 'node-exists')) throw error;
      }
    }
  }

  async remove(version: number | 'any', signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#tree.remove(this.path, version, withSignal(signal));
      return true;
    } catch (error) {
      if (isTreeError(error, 'no-node', 'bad-version')) return false;
      throw error;
    }
  }

  watch(listener: (reading: Reading<T>) => void | Promise<void>): Unwatch {
    const watch = this.#tree.watchData(this.path, (value) => listener(this.#interpret(value)));
    return () => watch.close();
  }

  #interpret(node: NodeValue | null): Reading<T> {
    if (node === null) return { kind: 'absent' };
    const { version } = node.stat;
    try {
      return { kind: 'value', value: this.#codec.decode(node.data, this.path), version };
    } catch (error) {
      if (isAbort(error) || !isHoltError(error)) throw error;
      return { kind: 'foreign', version, error };
    }
  }
}

export function withSignal(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
