import type { NodeId, SiteId } from '../../model/ids.ts';
import type { NodePresence } from '../../scheduler/records.ts';

/**
 * The node that is likely to do the target side of the next batch: the one that loaded the last, or, where there is none or it is gone,
 * the first that works on Transform and Load at the target's site. Null when nobody is known.
 */
export function predictedNode(
  last: NodeId | null,
  targetSite: SiteId,
  present: readonly NodePresence[],
): NodeId | null {
  if (last !== null && present.some(({ node }) => node === last)) return last;
  const first = present.find(
    ({ site, stages }) => site === targetSite && stages.includes('transform') && stages.includes('load'),
  );
  return first?.node ?? last;
}
