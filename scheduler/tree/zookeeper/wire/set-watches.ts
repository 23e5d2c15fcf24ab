import type { WatchList } from '../../client/link.ts';
import { absolute, type CodecContext } from './context.ts';
import { JuteWriter } from './jute.ts';

/**
 * Bytes of paths in one packet. One packet for all is what sends node-zookeeper-client into an endless reconnect
 * loop (defect Z8): servers drop connections that send more than their `jute.maxbuffer`.
 */
export const maxSetWatchesBytes = 64 * 1024;

interface Chunk {
  readonly data: string[];
  readonly missing: string[];
  readonly children: string[];
}

/**
 *     SetWatches { long relativeZxid; vector<ustring> dataWatches; vector<ustring> existWatches; vector<ustring> childWatches; }
 *
 * As many bodies as the list needs; none for an empty one.
 */
export function setWatchesBodies(
  list: WatchList,
  sinceZxid: bigint,
  context: CodecContext,
): readonly Buffer[] {
  const bodies: Buffer[] = [];
  let chunk: Chunk = { data: [], missing: [], children: [] };
  let bytes = 0;
  const flush = () => {
    if (bytes === 0) return;
    const writer = new JuteWriter(bytes + 64).long(sinceZxid);
    bodies.push(writer.strings(chunk.data).strings(chunk.missing).strings(chunk.children).bytes());
    chunk = { data: [], missing: [], children: [] };
    bytes = 0;
  };
  for (const kind of ['data', 'missing', 'children'] as const)
    for (const path of list[kind]) {
      const watched = absolute(path, context);
      const size = 4 + Buffer.byteLength(watched);
      if (bytes + size > maxSetWatchesBytes) flush();
      chunk[kind].push(watched);
      bytes += size;
    }
  flush();
  return bodies;
}
