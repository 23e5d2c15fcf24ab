import { expect, test } from 'vitest';
import { nodeId, siteId } from '../../../../model/ids.ts';
import { predictedNode } from '../../../../node/runtime/placement.ts';
import type { NodePresence } from '../../../../scheduler/records.ts';

const present = (node: string, site: string, stages: NodePresence['stages'] = ['transform', 'load']) =>
  ({ node: nodeId(node), site: siteId(site), stages }) as NodePresence;
const west = siteId('west');

test('the target side of the next batch is likely to be done by the node that loaded the last', () => {
  const nodes = [present('west-1', 'west'), present('west-2', 'west')];
  expect(predictedNode(nodeId('west-2'), west, nodes)).toBe('west-2');
});

test('if that is gone, or nobody has loaded yet, by the first at the site that may', () => {
  const nodes = [
    present('east-1', 'east'),
    present('west-0', 'west', ['transform']),
    present('west-1', 'west'),
    present('west-2', 'west'),
  ];
  expect(predictedNode(null, west, nodes)).toBe('west-1');
  expect(predictedNode(nodeId('west-9'), west, nodes)).toBe('west-1');
});

test('where the site has none, by whom nobody can tell', () => {
  const nodes = [present('both-1', 'east')];
  expect(predictedNode(null, west, nodes)).toBeNull();
  expect(predictedNode(nodeId('west-9'), west, nodes)).toBe('west-9');
});
