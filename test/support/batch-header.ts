import type { BatchHeader } from '../../model/batch.ts';
import { nodeId, parseTenure, pipelineId, siteId } from '../../model/ids.ts';
import type { PositionText } from '../../model/position.ts';

/** A header as it must be; what applying looks at is in `change`. */
export function headerOf(change: Partial<BatchHeader> = {}): BatchHeader {
  return {
    version: 1,
    pipeline: pipelineId('east-west'),
    epoch: 1,
    tenure: parseTenure('0'.repeat(32)),
    seq: '1',
    part: 0,
    lastPart: true,
    configVersion: 0,
    origin: siteId('east'),
    start: 'mariadb:' as PositionText,
    end: 'mariadb:0-1-1' as PositionText,
    endFile: 'bin.000001',
    endOffset: 4,
    lastEventTimestamp: 0,
    lastEventCrc32: null,
    source: 'source',
    transactions: 1,
    rows: 1,
    firstCommitUs: 0,
    lastCommitUs: 0,
    selectedMs: 0,
    extractedMs: null,
    transformedMs: null,
    payload: {
      kind: 'node',
      node: nodeId('node-a'),
      site: siteId('east'),
      address: '',
      sha256: '0'.repeat(64),
      bytes: 0,
    },
    hint: null,
    ...change,
  };
}
