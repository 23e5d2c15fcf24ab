import { abortable } from '../lib/abort.ts';
import { assert } from '../lib/assert.ts';
import { Backoff } from '../lib/backoff.ts';
import { systemClock } from '../lib/clock.ts';
import { type Deferred, deferred } from '../lib/deferred.ts';
import { HoltError, isAbort, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState } from '../lib/service.ts';
import type { DataSourceId, NodeId, PipelineId } from '../model/ids.ts';
import type { Lead, Mainstem, OwnedSource, SourceOwnership, TakeMainstemOptions } from './contract.ts';
import { Holding } from './holding.ts';
import { TreeMainstem } from './mainstem.ts';
import { destinationPath, mainLockPath, runningPath } from './paths.ts';
import { jsonRecord } from './record.ts';
import { type SourceTaking, sourceRunning, sourceTaking } from './records.ts';
import { isHoltError } from './refusals.ts';
import type { CoordinationTree, MultiOp, NodeValue } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';
import { isOutcomeUnknown, isUnsent } from './unknown-outcome.ts';

export const runningCodec = jsonRecord(sourceRunning);
export const takingCodec = jsonRecord(sourceTaking);

export interface TreeSourceOwnershipOptions {
  readonly tree: CoordinationTree;
  readonly source: DataSourceId;
  readonly node: NodeId;
  /** Of this process, as in its presence. */
  readonly instance: string;
  /** host:port under which this node is reached; for people and for Canal's own tools. */
  readonly address: string;
  /** Canal's id of the server; shown only. */
  readonly cid?: number;
  readonly lead: Lead;
  /** How long a standby waits after the owner vanished without leaving cleanly. Default 5 s, as in Canal. */
  readonly graceMs?: number;
  readonly log?: Logger;
}

/** `held`: somebody has it. `free`: nobody, and how the last owner went. */
type View =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'held'; readonly owner: NodeId | null }
  | { readonly kind: 'free'; readonly sinceMs: number };

/**
 * Contest for a source, after Canal's server HA (seeds.md). In one multi with `running`, its parent records who took
 * it, and in one multi with a clean removal, that it was released: so a standby can tell a clean leave from a death,
 * which may be only a flicker of the network.
 */
export class TreeSourceOwnership implements SourceOwnership {
  readonly source: DataSourceId;
  readonly #options: TreeSourceOwnershipOptions;
  readonly #tree: CoordinationTree;
  readonly #graceMs: number;
  readonly #log: Logger;
  readonly #running = new RunningState();
  readonly #finished = deferred<void>();
  #state: SourceOwnership['state'] = 'standby';
  #view: View = { kind: 'unknown' };
  #changed: Deferred<void> = deferred();
  #switchOff: AbortController | null = null;
  /** Set after `"active":false`: others go first. */
  #yields = false;
  #started = false;

  constructor(options: TreeSourceOwnershipOptions) {
    this.#options = options;
    this.source = options.source;
    this.#tree = options.tree;
    this.#graceMs = options.graceMs ?? 5_000;
    this.#log = (options.log ?? silentLogger).child({ source: options.source });
  }

  get state(): SourceOwnership['state'] {
    return this.#state;
  }

  get owner(): NodeId | null {
    return this.#view.kind === 'held' ? this.#view.owner : null;
  }

  async run(): Promise<void> {
    this.#started = true;
    const signal = this.#running.signal;
    const watch = this.#tree.watchData(runningPath(this.source), (node) => this.#see(node));
    try {
      while (this.#running.shouldRun()) {
        try {
          await this.#untilFree(signal);
          const held = await this.#contend(signal);
          if (held === null) watch.refresh();
          else await this.#own(held);
        } catch (error) {
          if (!this.#running.shouldRun() || isTreeError(error, 'closed')) return;
          if (!isAbort(error) && !isTreeError(error))
            this.#log.error({ err: error }, 'owning the source failed');
          await this.#running.backoff();
        } finally {
          this.#state = 'standby';
        }
      }
    } finally {
      watch.close();
      this.#finished.resolve();
    }
  }

  async stop(): Promise<void> {
    this.#running.requestStop();
    if (this.#started) await this.#finished.promise;
  }

  #see(node: NodeValue | null): void {
    if (node === null) {
      if (this.#view.kind !== 'free')
        this.#view = { kind: 'free', sinceMs: this.#running.clock.monotonicMs() };
    } else {
      const value = this.#readRunning(node);
      this.#view = { kind: 'held', owner: value?.node ?? null };
      if (value?.active === false && node.stat.ephemeralOwner === this.#tree.sessionId) {
        this.#yields = true;
        this.#switchOff?.abort();
      }
    }
    const changed = this.#changed;
    this.#changed = deferred();
    changed.resolve();
  }

  #readRunning(node: NodeValue): ReturnType<typeof runningCodec.decode> | null {
    try {
      return runningCodec.decode(node.data, runningPath(this.source));
    } catch (error) {
      if (!isHoltError(error)) throw error;
      this.#log.warn({ err: error }, 'what holds the source is not ours');
      return null;
    }
  }

  /** Resolves when this node may contend: nobody has the source, and a vanished owner had its time to come back. */
  async #untilFree(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const changed = this.#changed.promise;
      if (this.#view.kind === 'free') {
        const { sinceMs } = this.#view;
        const waitMs = (await this.#graceOf(signal)) - (this.#running.clock.monotonicMs() - sinceMs);
        if (waitMs <= 0) return;
        this.#state = 'waiting-grace';
        const timer = new AbortController();
        const timed = this.#running.clock.sleep(waitMs, AbortSignal.any([signal, timer.signal]));
        await Promise.race([changed, timed]).finally(() => timer.abort());
        timed.catch(() => {});
        this.#state = 'standby';
      } else {
        await abortable(changed, signal);
      }
    }
  }

  async #graceOf(signal: AbortSignal): Promise<number> {
    if (this.#yields) return this.#graceMs;
    const last = await this.#lastTaking(signal);
    if (last === null || last.state === 'released' || last.instance === this.#options.instance) return 0;
    return this.#graceMs;
  }

  async #lastTaking(signal: AbortSignal): Promise<SourceTaking | null> {
    const path = destinationPath(this.source);
    const found = await this.#tree.get(path, { signal });
    if (found === null || found.data.length === 0) return null;
    try {
      return takingCodec.decode(found.data, path);
    } catch (error) {
      if (!isHoltError(error)) throw error;
      // Somebody else's data there only costs the shortcut.
      this.#log.warn({ err: error }, 'how the last owner left is unknown');
      return { version: 1, node: this.#options.node, instance: 'unknown', state: 'held', sinceMs: 0 };
    }
  }

  /** One attempt; null when another was first. */
  async #contend(signal: AbortSignal): Promise<HeldSource | null> {
    const path = runningPath(this.source);
    const parent = destinationPath(this.source);
    const { address, cid = 1, node, instance } = this.#options;
    await this.#tree.whenConnected({ signal });
    const session = { epoch: this.#tree.sessionEpoch, signal };
    for (;;) {
      try {
        const [set, created] = await this.#tree.multi(
          [
            { op: 'set', path: parent, data: this.#taking('held'), version: 'any' },
            {
              op: 'create',
              path,
              data: runningCodec.encode({ active: true, address, cid, node, instance }),
              ephemeral: true,
            },
          ],
          session,
        );
        assert(set?.op === 'set' && created?.op === 'create', 'the answers of a multi match its operations');
        return this.#held(set.stat.version, session.epoch, created.stat.czxid);
      } catch (error) {
        if (isTreeError(error, 'no-node')) {
          await this.#tree.ensurePath(parent, session);
          continue;
        }
        if (!isTreeError(error, 'node-exists') && !isOutcomeUnknown(error)) throw error;
        if (isOutcomeUnknown(error)) await this.#tree.barrier(session);
      }
      const before = await this.#tree.exists(path, session);
      if (before === null) continue;
      if (before.ephemeralOwner !== this.#tree.sessionId) return null;
      const taken = await this.#tree.exists(parent, session);
      const after = await this.#tree.exists(path, session);
      if (taken !== null && after?.czxid === before.czxid)
        return this.#held(taken.version, session.epoch, after.czxid);
    }
  }

  #held(taking: number, sessionEpoch: number, czxid: bigint): HeldSource {
    const path = runningPath(this.source);
    return { taking, holding: new Holding({ tree: this.#tree, path, sessionEpoch, czxid }) };
  }

  #taking(state: SourceTaking['state']): Buffer {
    const { node, instance } = this.#options;
    return takingCodec.encode({ version: 1, node, instance, state, sinceMs: this.#running.clock.nowMs() });
  }

  async #own({ taking, holding }: HeldSource): Promise<void> {
    this.#state = 'owner';
    this.#yields = false;
    this.#running.resetBackoff();
    this.#log.info({ node: this.#options.node }, 'this node owns the source');
    const switchOff = new AbortController();
    this.#switchOff = switchOff;
    const mainstems = new Mainstems(this.#tree, this.#options, holding, this.#log);
    try {
      const signal = AbortSignal.any([this.#running.signal, holding.lost, switchOff.signal]);
      await this.#options.lead(mainstems, signal);
    } catch (error) {
      if (!isAbort(error) && !isHoltError(error, 'HOLT_CLAIM_LOST')) throw error;
    } finally {
      this.#switchOff = null;
      await mainstems.releaseAll();
      await this.#release(taking, holding);
      this.#log.info({ node: this.#options.node }, 'this node no longer owns the source');
    }
  }

  /** Tells the others that this is no death. Not ours any more: nothing to do. */
  async #release(taking: number, holding: Holding): Promise<void> {
    const wasHeld = holding.isHeld();
    holding.close();
    if (!wasHeld) return;
    const parent = destinationPath(this.source);
    const ops: readonly MultiOp[] = [
      { op: 'set', path: parent, data: this.#taking('released'), version: taking },
      { op: 'remove', path: holding.path, version: 'any' },
    ];
    try {
      await this.#tree.multi(ops, { epoch: holding.sessionEpoch });
    } catch (error) {
      this.#log.info({ reason: messageOf(error) }, 'the source is left to the end of the session');
    }
  }
}

interface HeldSource {
  readonly taking: number;
  readonly holding: Holding;
}

/** What `lead` works with: the mainstems of an owned source. */
class Mainstems implements OwnedSource {
  readonly source: DataSourceId;
  readonly #tree: CoordinationTree;
  readonly #options: TreeSourceOwnershipOptions;
  readonly #holding: Holding;
  readonly #log: Logger;
  readonly #taken = new Map<PipelineId, Mainstem>();

  constructor(tree: CoordinationTree, options: TreeSourceOwnershipOptions, holding: Holding, log: Logger) {
    this.source = options.source;
    this.#tree = tree;
    this.#options = options;
    this.#holding = holding;
    this.#log = log;
  }

  get lost(): AbortSignal {
    return this.#holding.lost;
  }

  isHeld(): boolean {
    return this.#holding.isHeld();
  }

  async takeMainstem({ pipeline, target, signal }: TakeMainstemOptions): Promise<Mainstem> {
    const earlier = this.#taken.get(pipeline);
    if (earlier !== undefined && !earlier.lost.aborted)
      throw new HoltError('HOLT_CLAIM_LOST', `the mainstem of ${pipeline} is already taken by this node`, {
        disposition: 'fatal',
        facts: { pipeline },
      });
    const { node, instance } = this.#options;
    const both = AbortSignal.any([signal, this.lost]);
    const backoff = new Backoff();
    let changed = deferred<void>();
    const watch = this.#tree.watchData(mainLockPath(pipeline), () => {
      changed.resolve();
      changed = deferred();
    });
    try {
      for (;;) {
        both.throwIfAborted();
        const next = changed.promise;
        const options = { tree: this.#tree, pipeline, node, instance, target, log: this.#log };
        try {
          const mainstem = await TreeMainstem.attempt(options, both);
          if (mainstem !== null) {
            this.#taken.set(pipeline, mainstem);
            return mainstem;
          }
          await abortable(next, both);
        } catch (error) {
          if (!isUnsent(error)) throw error;
          await systemClock.sleep(backoff.nextMs(), both);
        }
      }
    } finally {
      watch.close();
    }
  }

  async releaseAll(): Promise<void> {
    await Promise.all([...this.#taken.values()].map((mainstem) => mainstem.release()));
    this.#taken.clear();
  }
}
