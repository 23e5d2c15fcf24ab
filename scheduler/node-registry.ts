import { AbortError, abortable, untilAborted } from '../lib/abort.ts';
import { deferred } from '../lib/deferred.ts';
import { HoltError, isAbort, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState } from '../lib/service.ts';
import { type NodeId, nodeId } from '../model/ids.ts';
import type { NodeRegistry, Unwatch } from './contract.ts';
import { NODES, nodePath } from './paths.ts';
import { jsonRecord } from './record.ts';
import { type NodePresence, nodePresence } from './records.ts';
import { isHoltError } from './refusals.ts';
import type { CoordinationTree } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';

const presenceCodec = jsonRecord(nodePresence);

export interface TreeNodeRegistryOptions {
  readonly tree: CoordinationTree;
  readonly self: NodePresence;
  readonly log?: Logger;
}

/** A tree that is away must not hold a stopping node up: the session takes the presence with it. */
const FAREWELL_MS = 1_000;

/**
 * Presence over the tree. The own znode is ephemeral and is made again in every session: an older session's one of
 * this very process is removed at once, another process's is waited for.
 */
export class TreeNodeRegistry implements NodeRegistry {
  readonly self: NodePresence;
  readonly #tree: CoordinationTree;
  readonly #log: Logger;
  readonly #running = new RunningState();
  readonly #listeners = new Set<(nodes: readonly NodePresence[]) => void>();
  readonly #readied = deferred<void>();
  readonly #finished = deferred<void>();
  #nodes: readonly NodePresence[] = [];
  #conflict: HoltError | null = null;
  #registeredEpoch = 0;
  #listed = false;
  #started = false;

  constructor(options: TreeNodeRegistryOptions) {
    this.#tree = options.tree;
    this.self = options.self;
    this.#log = options.log ?? silentLogger;
  }

  get nodes(): readonly NodePresence[] {
    return this.#nodes;
  }

  get conflict(): HoltError | null {
    return this.#conflict;
  }

  isPresent(node: NodeId): boolean {
    return this.#nodes.some((presence) => presence.node === node);
  }

  watch(listener: (nodes: readonly NodePresence[]) => void): Unwatch {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(signal: AbortSignal): Promise<void> {
    return abortable(this.#readied.promise, signal);
  }

  async run(): Promise<void> {
    this.#started = true;
    const path = nodePath(this.self.node);
    try {
      await this.#prepare();
      // The own znode is watched for its data and its absence: either way `#register` looks and acts.
      const own = this.#tree.watchData(path, () => this.#register(path));
      const all = this.#tree.watchChildren(NODES, (children) => this.#list(children?.names ?? []));
      try {
        await untilAborted(this.#running.signal);
      } finally {
        own.close();
        all.close();
      }
      await this.#deregister(path);
    } finally {
      this.#readied.promise.catch(() => {});
      this.#readied.reject(new AbortError());
      this.#finished.resolve();
    }
  }

  async stop(): Promise<void> {
    this.#running.requestStop();
    if (this.#started) await this.#finished.promise;
  }

  async #prepare(): Promise<void> {
    while (this.#running.shouldRun()) {
      try {
        await this.#tree.ensurePath(NODES, { signal: this.#running.signal });
        return;
      } catch (error) {
        if (isAbort(error) || isTreeError(error, 'closed')) return;
        this.#log.warn({ err: error }, 'cannot make the parent of nodes yet');
        await this.#running.backoff();
      }
    }
  }

  async #register(path: string): Promise<void> {
    if (!this.#running.shouldRun()) return;
    const epoch = this.#tree.sessionEpoch;
    try {
      const found = await this.#tree.get(path, { signal: this.#running.signal });
      if (found !== null) {
        if (found.stat.ephemeralOwner === this.#tree.sessionId) {
          this.#conflict = null;
          this.#registered(epoch);
          return;
        }
        const holder = instanceOf(found.data, path);
        if (holder !== this.self.instance) {
          this.#conflict = nameTaken(this.self.node, path);
          this.#log.warn({ node: this.self.node, path }, 'another process is registered under this name');
          return;
        }
        await this.#tree.remove(path, found.stat.version, { epoch, signal: this.#running.signal });
      }
      await this.#tree.create(path, presenceCodec.encode(this.self), {
        ephemeral: true,
        epoch,
        signal: this.#running.signal,
      });
      this.#conflict = null;
      this.#registered(epoch);
    } catch (error) {
      if (isAbort(error) || isTreeError(error, 'closed', 'session-lost')) return;
      // The watch tells of whatever came between; anything else is tried again soon.
      if (isTreeError(error, 'node-exists', 'bad-version')) return;
      if (isTreeError(error, 'no-node')) {
        // Either what we were about to remove has gone, or the parent: an ensemble whose data were lost.
        await this.#running.backoff();
        await this.#prepare();
        return this.#register(path);
      }
      this.#log.warn({ err: error }, 'registration failed');
      await this.#running.backoff();
      await this.#register(path);
    }
  }

  #registered(epoch: number): void {
    this.#running.resetBackoff();
    this.#registeredEpoch = epoch;
    this.#tellReady();
  }

  async #list(names: readonly string[]): Promise<void> {
    const epoch = this.#tree.sessionEpoch;
    const nodes: NodePresence[] = [];
    for (const name of names) {
      try {
        const path = nodePath(nodeId(name));
        const found = await this.#tree.get(path, { epoch, signal: this.#running.signal });
        if (found !== null) nodes.push(presenceCodec.decode(found.data, path));
      } catch (error) {
        // A new session lists again from the start.
        if (isAbort(error) || isTreeError(error, 'session-lost', 'closed')) return;
        if (isTreeError(error)) {
          await this.#running.backoff();
          return this.#list(names);
        }
        if (!isHoltError(error)) throw error;
        this.#log.warn({ err: error }, 'a foreign znode among the nodes is left out');
      }
    }
    this.#nodes = nodes.sort((a, b) => (a.node < b.node ? -1 : 1));
    this.#listed = true;
    this.#tellReady();
    for (const listener of this.#listeners) {
      try {
        listener(this.#nodes);
      } catch (error) {
        this.#log.error({ err: error }, 'a listener of the registry failed');
      }
    }
  }

  #tellReady(): void {
    if (this.#listed && this.#registeredEpoch > 0 && this.isPresent(this.self.node)) this.#readied.resolve();
  }

  async #deregister(path: string): Promise<void> {
    try {
      const options = { deadlineMs: FAREWELL_MS };
      const found = await this.#tree.get(path, options);
      if (found !== null && found.stat.ephemeralOwner === this.#tree.sessionId)
        await this.#tree.remove(path, found.stat.version, options);
    } catch (error) {
      this.#log.info({ reason: messageOf(error) }, 'presence is left to the end of the session');
    }
  }
}

function instanceOf(data: Buffer, path: string): string | null {
  try {
    return presenceCodec.decode(data, path).instance;
  } catch (error) {
    if (isHoltError(error)) return null;
    throw error;
  }
}

function nameTaken(node: NodeId, path: string): HoltError {
  return new HoltError('HOLT_NODE_NAME_TAKEN', `another living process is registered as ${node}`, {
    disposition: 'retry',
    facts: { node, path },
  });
}
