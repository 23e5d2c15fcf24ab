/**
 * Finding out what became of a write whose answer was lost. The tree sends a write once; when its answer is missing,
 * only reading back can tell, and only after a barrier: the server we come back to may be behind the one that took
 * the write.
 *
 * What this cannot exclude: a server that was frozen with our write in its socket may execute it after it thaws,
 * later than our reading back through a new connection to it (the session is the same, so it still counts). Hence
 * a repeated create that meets an own node is a success, and whoever removes what it created must be ready to find an own
 * node that it does not know of, and remove that.
 */
import type { CoordinationTree, CreateOptions, Stat } from './tree.ts';
import { isTreeError, TreeError } from './tree-error.ts';

/**
 * `create` that knows its own nodes: after an unknown outcome it reads the node back, and takes it as its own if it has
 * this data and is ephemeral and of this session, or persistent. Data that only this call can have written (a random id in
 * it) makes the proof sound for persistent nodes.
 *
 * @throws TreeError `node-exists` if another one's node is there, `session-lost` if the session ended meanwhile, else as
 *   `create`; `deadlineMs` holds for each request, not for the whole
 */
export async function createSettled(
  tree: CoordinationTree,
  path: string,
  data: Buffer,
  options: CreateOptions = {},
): Promise<Stat> {
  if (options.epoch === undefined) await tree.whenConnected(options);
  const pinned = { ...options, epoch: options.epoch ?? tree.sessionEpoch };
  let wasUnknown = false;
  for (;;) {
    try {
      return await tree.create(path, data, pinned);
    } catch (error) {
      const mayBeOurs =
        isTreeError(error, 'connection-loss') || (wasUnknown && isTreeError(error, 'node-exists'));
      if (!mayBeOurs) throw error;
      wasUnknown = true;
    }
    await tree.barrier(pinned);
    const found = await tree.get(path, pinned);
    if (found === null) continue;
    const owner = pinned.ephemeral ? tree.sessionId : null;
    if (found.stat.ephemeralOwner === owner && found.data.equals(data)) return found.stat;
    throw new TreeError('node-exists', { op: 'create', path, detail: 'another one made it' });
  }
}

/**
 * Runs a write; when its outcome is unknown, waits for a barrier, asks `happened` (which reads back), and runs it again
 * if it did not happen.
 * @returns the write's own result, or undefined if it was found to have happened
 */
export async function settled<T>(
  tree: CoordinationTree,
  write: () => Promise<T>,
  happened: () => Promise<boolean>,
): Promise<T | undefined> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isTreeError(error, 'connection-loss') || !error.outcomeUnknown) throw error;
    }
    await tree.barrier();
    if (await happened()) return undefined;
  }
}
