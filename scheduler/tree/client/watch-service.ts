import type { Children, NodeValue, Stat, Watch, WatchContext, WatchKind, WatchListener } from '../tree.ts';
import { isTreeError } from '../tree-error.ts';
import type { WatchEventType, WatchList } from './link.ts';

/** What the service needs of the session layer. Reads arm a one-shot watch and wait for the connection without deadline. */
export interface WatchPort {
  /** The node's data or, if it is missing, null; in both cases a watch is armed for it. */
  readData(path: string): Promise<NodeValue | null>;
  readChildren(path: string): Promise<Children | null>;
  /** Tells the server to forget a watch; best effort. */
  forget(kind: WatchKind, path: string): void;
  /** The epoch that requests answered now belong to. */
  epoch(): number;
  nowMs(): number;
  random(): number;
  fired(kind: WatchKind, path: string): void;
  listenerFailed(path: string, error: unknown): void;
}

export interface WatchServiceOptions {
  readonly port: WatchPort;
  /** Time after which every watched node is read again although nothing fired, ± 20 %. */
  readonly rereadMs: number;
}

/** How long a watch waits after a refused reading (no permission, a server's error) before it reads again. */
const refusedPauseMs = 2_000;
/** The net looks this often, as a share of `rereadMs`, for what is due: spreads the readings. */
const sweepShare = 1 / 16;

/**
 * Watches that do not lose anything: one server-side watch per (kind, path), however many listen.
 *
 * Each has one loop: *dirty* → read and arm in one request → compare with what was last given → give → until clean.
 * What can make it dirty: its server-side watch fired, a new session, the periodic net, `refresh`. A fire during a reading makes it
 * dirty again, so the newest state is always read after the newest fire; states in between are left out.
 *
 * After a reconnect within a session the server-side watches are armed again from `armed()`, with the last zxid seen:
 * the server fires what changed meanwhile.
 */
export class WatchService {
  readonly #port: WatchPort;
  readonly #rereadMs: number;
  readonly #data = new Map<string, WatchedNode<NodeValue>>();
  readonly #children = new Map<string, WatchedNode<Children>>();
  #sweep: NodeJS.Timeout | undefined;
  #fires = 0;
  #missed = 0;
  #closed = false;

  constructor(options: WatchServiceOptions) {
    this.#port = options.port;
    this.#rereadMs = options.rereadMs;
  }

  get count(): number {
    return this.#data.size + this.#children.size;
  }

  get fires(): number {
    return this.#fires;
  }

  get missed(): number {
    return this.#missed;
  }

  watchData(path: string, listener: WatchListener<NodeValue>): Watch {
    return this.#watch(this.#data, path, listener, () => this.#newNode(path, this.#data, dataReading));
  }

  watchChildren(path: string, listener: WatchListener<Children>): Watch {
    return this.#watch(this.#children, path, listener, () =>
      this.#newNode(path, this.#children, childrenReading),
    );
  }

  fired(type: WatchEventType, path: string): void {
    const data = this.#data.get(path);
    const children = this.#children.get(path);
    if (type !== 'children-changed' && data !== undefined) this.#fire('data', path, data);
    if (type !== 'data-changed' && children !== undefined) this.#fire('children', path, children);
  }

  /** What is armed at the server, by the table in which the server keeps it. */
  armed(): WatchList {
    const list = { data: [] as string[], missing: [] as string[], children: [] as string[] };
    for (const [path, node] of this.#data) if (node.armed !== 'no') list[node.armed].push(path);
    for (const [path, node] of this.#children) if (node.armed !== 'no') list[node.armed].push(path);
    return list;
  }

  /** A new session has no watches and may see another history: read all, give all. */
  sessionBegan(): void {
    for (const node of [...this.#data.values(), ...this.#children.values()]) node.begin();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const node of [...this.#data.values(), ...this.#children.values()]) node.close();
    this.#data.clear();
    this.#children.clear();
  }

  #watch<T extends Reading>(
    nodes: Map<string, WatchedNode<T>>,
    path: string,
    listener: WatchListener<T>,
    make: () => WatchedNode<T>,
  ): Watch {
    let node = nodes.get(path);
    if (node === undefined) {
      node = make();
      if (!this.#closed) {
        nodes.set(path, node);
        this.#startSweep();
        node.refresh();
      }
    }
    const watched = node;
    const leave = watched.listen(listener);
    return {
      path,
      refresh: () => watched.refresh(),
      close: () => {
        leave();
        if (watched.listeners > 0 || nodes.get(path) !== watched) return;
        nodes.delete(path);
        watched.close();
        this.#forget(path, watched.armed);
        if (this.count === 0) {
          clearInterval(this.#sweep);
          this.#sweep = undefined;
        }
      },
    };
  }

  /** The two kinds share a server-side table for missing nodes: a watch on a path that the other kind also watches stays. */
  #forget(path: string, armed: Armed): void {
    if (armed === 'no' || this.#data.has(path) || this.#children.has(path)) return;
    this.#port.forget(armed === 'children' ? 'children' : 'data', path);
  }

  #newNode<T extends Reading>(
    path: string,
    nodes: Map<string, WatchedNode<T>>,
    reading: ReadingOf<T>,
  ): WatchedNode<T> {
    return new WatchedNode({
      path,
      port: this.#port,
      reading,
      missed: () => {
        this.#missed += 1;
      },
      isCurrent: (node) => nodes.get(path) === node,
    });
  }

  #fire(kind: WatchKind, path: string, node: WatchedNode<NodeValue> | WatchedNode<Children>): void {
    this.#fires += 1;
    this.#port.fired(kind, path);
    node.fire();
  }

  #startSweep(): void {
    if (this.#sweep !== undefined) return;
    this.#sweep = setInterval(() => {
      const now = this.#port.nowMs();
      for (const node of [...this.#data.values(), ...this.#children.values()]) {
        if (node.lastReadMs === undefined) continue;
        if (now - node.lastReadMs >= this.#rereadMs * node.spread) node.reread();
      }
    }, this.#rereadMs * sweepShare);
    this.#sweep.unref();
  }
}

type Reading = NodeValue | Children;
/** Which server-side table holds the watch. */
type Armed = 'no' | 'data' | 'missing' | 'children';

interface ReadingOf<T> {
  readonly table: 'data' | 'children';
  read(port: WatchPort, path: string): Promise<T | null>;
  /** True when two readings within one session are of the same state. */
  same(a: T, b: T): boolean;
}

const dataReading: ReadingOf<NodeValue> = {
  table: 'data',
  read: (port, path) => port.readData(path),
  same: (a, b) => a.stat.czxid === b.stat.czxid && a.stat.mzxid === b.stat.mzxid,
};

const childrenReading: ReadingOf<Children> = {
  table: 'children',
  read: (port, path) => port.readChildren(path),
  // pzxid: a child that went and came again under the same name is news (a lock has another owner).
  same: (a, b) => a.stat.czxid === b.stat.czxid && sameChildren(a.stat, b.stat),
};

function sameChildren(a: Stat, b: Stat): boolean {
  return a.pzxid === b.pzxid && a.cversion === b.cversion;
}

interface WatchedNodeOptions<T extends Reading> {
  readonly path: string;
  readonly port: WatchPort;
  readonly reading: ReadingOf<T>;
  readonly missed: () => void;
  readonly isCurrent: (node: WatchedNode<T>) => boolean;
}

/** What was last given to listeners. */
interface Given<T> {
  readonly value: T | null;
  readonly epoch: number;
}

class WatchedNode<T extends Reading> {
  /** Share of the re-read time for this node, so that nodes made together are not read together for ever. */
  spread = 1;
  readonly #options: WatchedNodeOptions<T>;
  readonly #listeners = new Set<Listener<T>>();
  #armed: Armed = 'no';
  #dirty = false;
  /** Dirty only because of the net: a difference then is a watch that failed to fire. */
  #onlyNet = false;
  #reading = false;
  /** Counts sessions: a reading that began in another one says nothing about this one. */
  #generation = 0;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  #given: Given<T> | undefined;
  #lastReadMs: number | undefined;

  constructor(options: WatchedNodeOptions<T>) {
    this.#options = options;
  }

  get armed(): Armed {
    return this.#armed;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  get lastReadMs(): number | undefined {
    return this.#lastReadMs;
  }

  listen(callback: WatchListener<T>): () => void {
    const listener = new Listener(callback, this.#options);
    this.#listeners.add(listener);
    if (this.#given !== undefined && this.#given.epoch === this.#options.port.epoch())
      listener.give(this.#given);
    return () => {
      this.#listeners.delete(listener);
      listener.close();
    };
  }

  fire(): void {
    this.#armed = 'no';
    this.refresh();
  }

  /** A new session. */
  begin(): void {
    this.#generation += 1;
    this.#armed = 'no';
    this.#given = undefined;
    this.refresh();
  }

  refresh(): void {
    this.#dirty = true;
    this.#onlyNet = false;
    this.#start();
  }

  reread(): void {
    if (this.#dirty || this.#reading) return;
    this.#dirty = true;
    this.#onlyNet = true;
    this.#start();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const listener of this.#listeners) listener.close();
  }

  #start(): void {
    if (this.#reading || this.#closed || this.#retry !== undefined) return;
    this.#reading = true;
    void this.#readUntilClean().finally(() => {
      this.#reading = false;
      if (this.#dirty) this.#start();
    });
  }

  async #readUntilClean(): Promise<void> {
    const { port, path, reading } = this.#options;
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      const onlyNet = this.#onlyNet;
      this.#onlyNet = false;
      const generation = this.#generation;
      let value: T | null;
      try {
        value = await reading.read(port, path);
      } catch (error) {
        if (generation !== this.#generation) continue;
        this.#refused(error);
        return;
      }
      if (this.#closed) return;
      // A session began meanwhile, and made this node dirty.
      if (generation !== this.#generation) continue;
      this.#lastReadMs = port.nowMs();
      this.spread = 0.8 + 0.4 * port.random();
      // A fire that came while the answer was on its way used up the watch that the answer speaks of, or an older one:
      // either way the node is dirty and is read (and armed) again.
      this.#armed = this.#dirty ? 'no' : value === null ? 'missing' : reading.table;
      const epoch = port.epoch();
      const given = this.#given;
      const isNews = given === undefined || given.epoch !== epoch || !isSame(reading, given.value, value);
      if (!isNews) continue;
      if (onlyNet && !this.#dirty) this.#options.missed();
      this.#given = { value, epoch };
      for (const listener of this.#listeners) listener.give(this.#given);
    }
  }

  #refused(error: unknown): void {
    this.#armed = 'no';
    // Lost, refused or closed sessions: the next session reads all again.
    if (isTreeError(error, 'session-lost', 'auth-failed', 'closed')) return;
    this.#options.port.listenerFailed(this.#options.path, error);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#options.isCurrent(this)) this.refresh();
    }, refusedPauseMs);
    this.#retry.unref();
  }
}

function isSame<T>(reading: ReadingOf<T>, a: T | null, b: T | null): boolean {
  if (a === null || b === null) return a === b;
  return reading.same(a, b);
}

/** One listener's turn: never two calls at once, always the newest value last. */
class Listener<T> {
  readonly #callback: WatchListener<T>;
  readonly #path: string;
  readonly #port: WatchPort;
  #next: Given<T> | undefined;
  #busy = false;
  #closed = false;

  constructor(callback: WatchListener<T>, options: { readonly path: string; readonly port: WatchPort }) {
    this.#callback = callback;
    this.#path = options.path;
    this.#port = options.port;
  }

  give(given: Given<T>): void {
    this.#next = given;
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    // A microtask: a listener never runs inside the socket's handler (defect Z14).
    queueMicrotask(() => void this.#drain());
  }

  close(): void {
    this.#closed = true;
    this.#next = undefined;
  }

  async #drain(): Promise<void> {
    for (;;) {
      const given = this.#next;
      if (given === undefined || this.#closed) break;
      this.#next = undefined;
      const context: WatchContext = { path: this.#path, epoch: given.epoch };
      try {
        await this.#callback(given.value, context);
      } catch (error) {
        this.#port.listenerFailed(this.#path, error);
      }
    }
    this.#busy = false;
  }
}
