import { newTenure } from '../../../../model/ids.ts';
import type { ClaimEvent, ClaimState } from '../../../../scheduler/machine/claim-life.ts';
import type { LoadItem, LoadRunEvent, LoadRunState } from '../../../../scheduler/machine/load-run.ts';
import type { MainstemEvent, MainstemState } from '../../../../scheduler/machine/mainstem-life.ts';
import type { Examples } from '../../../support/transition-cells.ts';

const raised = { epoch: 7, tenure: newTenure() };
const basis = { takeOver: true, seenEpoch: 6, ownTenure: null };
const treeEpoch = { epoch: 6, version: 3 };

export const mainstemExamples: Examples<MainstemState, MainstemEvent> = {
  states: {
    follower: { name: 'follower' },
    locking: { name: 'locking' },
    reading: { name: 'reading', taking: 1 },
    holding: { name: 'holding', taking: 1, basis },
    preparing: { name: 'preparing', taking: 1, basis },
    raising: { name: 'raising', taking: 1, basis, treeEpoch },
    proclaiming: { name: 'proclaiming', taking: 1, raised },
    clearing: { name: 'clearing', taking: 1, raised, version: 4 },
    reigning: { name: 'reigning', taking: 1, raised, version: 4 },
    'letting-go': { name: 'letting-go', why: 'test' },
  },
  events: {
    want: { type: 'want' },
    'lock-made': { type: 'lock-made', taking: 1 },
    'lock-refused': { type: 'lock-refused' },
    'row-read': { type: 'row-read', epoch: 6 },
    raise: { type: 'raise' },
    'tree-read': { type: 'tree-read', epoch: treeEpoch },
    'target-raised': { type: 'target-raised', raised },
    'target-refused': { type: 'target-refused', why: 'test' },
    'target-failed': { type: 'target-failed' },
    proclaimed: { type: 'proclaimed', version: 4 },
    'proclaim-refused': { type: 'proclaim-refused', why: 'test' },
    cleared: { type: 'cleared' },
    superseded: { type: 'superseded' },
    lost: { type: 'lost', why: 'test' },
    release: { type: 'release' },
    released: { type: 'released' },
  },
};

export const claimExamples: Examples<ClaimState, ClaimEvent> = {
  states: {
    claiming: { name: 'claiming' },
    held: { name: 'held' },
    handing: { name: 'handing' },
    'finding-out': { name: 'finding-out' },
    releasing: { name: 'releasing' },
    settled: { name: 'settled', end: 'lost' },
  },
  events: {
    made: { type: 'made' },
    refused: { type: 'refused' },
    'hand-over': { type: 'hand-over' },
    done: { type: 'done' },
    'epoch-refused': { type: 'epoch-refused' },
    'claim-refused': { type: 'claim-refused' },
    unknown: { type: 'unknown' },
    unsent: { type: 'unsent' },
    rejected: { type: 'rejected' },
    'found-done': { type: 'found-done' },
    'found-undone': { type: 'found-undone' },
    release: { type: 'release' },
    released: { type: 'released' },
    lost: { type: 'lost' },
    superseded: { type: 'superseded' },
  },
};

const reign = { epoch: 7, tenure: 'a' };
export const itemOf = (seq: bigint, over: Partial<LoadItem> = {}): LoadItem => ({
  ...reign,
  seq,
  part: 0,
  lastPart: true,
  ...over,
});

export const loadRunExamples: Examples<LoadRunState, LoadRunEvent> = {
  states: {
    idle: { name: 'idle' },
    taking: { name: 'taking', reign, waiting: [itemOf(1n)] },
    ready: { name: 'ready', reign, waiting: [], open: null },
    loading: { name: 'loading', reign, item: itemOf(1n), waiting: [], open: null },
  },
  events: {
    claimed: { type: 'claimed', item: itemOf(2n) },
    took: { type: 'took' },
    'lost-run': { type: 'lost-run' },
    superseded: { type: 'superseded' },
    rewind: { type: 'rewind', why: 'test' },
    stop: { type: 'stop', code: 'HOLT_TEST', why: 'test' },
    applied: { type: 'applied' },
    'part-done': { type: 'part-done' },
    'claim-lost': { type: 'claim-lost', seq: 1n, part: 0 },
    leave: { type: 'leave' },
  },
};
