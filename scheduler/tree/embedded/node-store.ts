import type { Refusal, WatchEventType, WatchList } from '../client/link.ts';
import { nameOf, parentOf } from '../path.ts';
import type { Children, MultiOp, MultiResult, NodeValue, Stat, Version } from '../tree.ts';

interface TreeNode {
  readonly children: Set<string>;
  readonly czxid: bigint;
  readonly ctimeMs: number;
  readonly owner: string | null;
  data: Buffer;
  mzxid: bigint;
  pzxid: bigint;
  mtimeMs: number;
  version: number;
  cversion: number;
}

export interface ChangeEvent {
  readonly type: WatchEventType;
  readonly path: string;
}

/** One-shot watches of one connection, in ZooKeeper's two tables. */
export interface WatchTables {
  /** Armed by reading data or asking whether a node exists. */
  readonly data: Set<string>;
  readonly children: Set<string>;
}

/** The store's no; nothing was changed. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.kind);
    this.refusal = refusal;
  }
}

/** ZooKeeper's data model without sessions or connections: nodes, versions, zxids, atomic transactions. */
export class NodeStore {
  readonly #nodes = new Map<string, TreeNode>();
  readonly #ephemerals = new Map<string, Set<string>>();
  readonly #nowMs: () => number;
  #zxid = 0n;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#nodes.set('/', newNode(Buffer.alloc(0), 0n, 0, null));
  }

  get zxid(): bigint {
    return this.#zxid;
  }

  /** Counts a transaction that changes no node (a session's beginning). */
  tick(): void {
    this.#zxid += 1n;
  }

  paths(): readonly string[] {
    return [...this.#nodes.keys()].sort();
  }

  get(path: string): NodeValue {
    const node = this.#find(path);
    return { data: Buffer.from(node.data), stat: statOf(node) };
  }

  exists(path: string): Stat {
    return statOf(this.#find(path));
  }

  children(path: string): Children {
    const node = this.#find(path);
    return { names: [...node.children].sort(), stat: statOf(node) };
  }

  /**
   * All operations under one zxid, or none: each leaves its undoing behind until all have gone well.
   * @throws RefusedError with `failedIndex`
   */
  transact(
    owner: string,
    ops: readonly MultiOp[],
  ): { readonly results: readonly MultiResult[]; readonly events: readonly ChangeEvent[] } {
    const zxid = this.#zxid + 1n;
    const events: ChangeEvent[] = [];
    const undo: (() => void)[] = [];
    const results: MultiResult[] = [];
    for (const [failedIndex, op] of ops.entries()) {
      try {
        results.push(this.#apply(owner, op, zxid, events, undo));
      } catch (error) {
        for (const step of undo.reverse()) step();
        if (error instanceof RefusedError) throw new RefusedError({ ...error.refusal, failedIndex });
        throw error;
      }
    }
    this.#zxid = zxid;
    return { results, events };
  }

  /** A session's end: its ephemerals go in one transaction. */
  removeEphemerals(owner: string): readonly ChangeEvent[] {
    const paths = [...(this.#ephemerals.get(owner) ?? [])];
    if (paths.length === 0) return [];
    const ops = paths.map((path): MultiOp => ({ op: 'remove', path, version: 'any' }));
    return this.transact(owner, ops).events;
  }

  /**
   * What became of watched nodes after `since`, as the servers' `setWatches` tells it: events for those that changed;
   * the others go to `tables`.
   */
  rearm(list: WatchList, since: bigint, tables: WatchTables): readonly ChangeEvent[] {
    const events: ChangeEvent[] = [];
    for (const path of list.data) {
      const node = this.#nodes.get(path);
      if (node === undefined) events.push({ type: 'deleted', path });
      else if (node.mzxid > since) events.push({ type: 'data-changed', path });
      else tables.data.add(path);
    }
    for (const path of list.missing) {
      if (this.#nodes.has(path)) events.push({ type: 'created', path });
      else tables.data.add(path);
    }
    for (const path of list.children) {
      const node = this.#nodes.get(path);
      if (node === undefined) events.push({ type: 'deleted', path });
      else if (node.pzxid > since) events.push({ type: 'children-changed', path });
      else tables.children.add(path);
    }
    return events;
  }

  #apply(owner: string, op: MultiOp, zxid: bigint, events: ChangeEvent[], undo: (() => void)[]): MultiResult {
    switch (op.op) {
      case 'check':
        checkVersion(this.#find(op.path), op.version);
        return { op: 'check' };
      case 'create': {
        if (this.#nodes.has(op.path)) throw new RefusedError({ kind: 'node-exists' });
        const parent = this.#find(parentOf(op.path));
        if (parent.owner !== null) throw new RefusedError({ kind: 'ephemeral-parent' });
        const node = newNode(Buffer.from(op.data), zxid, this.#nowMs(), op.ephemeral ? owner : null);
        this.#link(op.path, node);
        undo.push(() => this.#unlink(op.path, node));
        this.#touchParent(op.path, zxid, undo);
        events.push(
          { type: 'created', path: op.path },
          { type: 'children-changed', path: parentOf(op.path) },
        );
        return { op: 'create', stat: statOf(node) };
      }
      case 'set': {
        const node = this.#find(op.path);
        checkVersion(node, op.version);
        const { data, version, mzxid, mtimeMs } = node;
        undo.push(() => Object.assign(node, { data, version, mzxid, mtimeMs }));
        node.data = Buffer.from(op.data);
        node.version += 1;
        node.mzxid = zxid;
        node.mtimeMs = this.#nowMs();
        events.push({ type: 'data-changed', path: op.path });
        return { op: 'set', stat: statOf(node) };
      }
      case 'remove': {
        if (op.path === '/') throw new RefusedError({ kind: 'server-error', detail: 'the root stays' });
        const node = this.#find(op.path);
        checkVersion(node, op.version);
        if (node.children.size > 0) throw new RefusedError({ kind: 'not-empty' });
        this.#unlink(op.path, node);
        undo.push(() => this.#link(op.path, node));
        this.#touchParent(op.path, zxid, undo);
        events.push(
          { type: 'deleted', path: op.path },
          { type: 'children-changed', path: parentOf(op.path) },
        );
        return { op: 'remove' };
      }
      default:
        return op satisfies never;
    }
  }

  #link(path: string, node: TreeNode): void {
    this.#nodes.set(path, node);
    this.#find(parentOf(path)).children.add(nameOf(path));
    if (node.owner === null) return;
    const owned = this.#ephemerals.get(node.owner) ?? new Set();
    owned.add(path);
    this.#ephemerals.set(node.owner, owned);
  }

  #unlink(path: string, node: TreeNode): void {
    this.#nodes.delete(path);
    this.#find(parentOf(path)).children.delete(nameOf(path));
    if (node.owner === null) return;
    const owned = this.#ephemerals.get(node.owner);
    owned?.delete(path);
    if (owned?.size === 0) this.#ephemerals.delete(node.owner);
  }

  #touchParent(path: string, zxid: bigint, undo: (() => void)[]): void {
    const parent = this.#find(parentOf(path));
    const { cversion, pzxid } = parent;
    undo.push(() => Object.assign(parent, { cversion, pzxid }));
    parent.cversion += 1;
    parent.pzxid = zxid;
  }

  #find(path: string): TreeNode {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new RefusedError({ kind: 'no-node' });
    return node;
  }
}

function newNode(data: Buffer, zxid: bigint, nowMs: number, owner: string | null): TreeNode {
  return {
    children: new Set(),
    czxid: zxid,
    ctimeMs: nowMs,
    owner,
    data,
    mzxid: zxid,
    pzxid: zxid,
    mtimeMs: nowMs,
    version: 0,
    cversion: 0,
  };
}

function statOf(node: TreeNode): Stat {
  return {
    czxid: node.czxid,
    mzxid: node.mzxid,
    pzxid: node.pzxid,
    ctimeMs: node.ctimeMs,
    mtimeMs: node.mtimeMs,
    version: node.version,
    cversion: node.cversion,
    aversion: 0,
    ephemeralOwner: node.owner,
    dataLength: node.data.length,
    numChildren: node.children.size,
  };
}

function checkVersion(node: TreeNode, version: Version): void {
  if (version !== 'any' && version !== node.version) throw new RefusedError({ kind: 'bad-version' });
}
