/** Which site a pipeline reads at, and which it writes at; the configuration says so, and it changes rarely. */
import { useEffect } from 'preact/hooks';
import type { SiteView } from '../../node/cluster-views.ts';
import { getAll } from '../api/client.ts';
import { live } from '../live/live.ts';
import { Store, useStore } from '../live/store.ts';
import { type Ends, endsOf } from './ends-of.ts';

export type { Ends } from './ends-of.ts';

interface Known {
  readonly sites: readonly SiteView[];
  readonly ends: ReadonlyMap<string, Ends>;
  readonly atMs: number;
}

const known = new Store<Known>({ sites: [], ends: new Map(), atMs: 0 });
const AGAIN_MS = 60_000;
let asking = false;

/** Asks when it was long ago, or when a pipeline is there that nobody has heard of. */
function refresh(): void {
  const { ends, atMs } = known.value;
  const isStrange = (live.value.pipelines ?? []).some(({ pipeline }) => !ends.has(pipeline));
  const wait = isStrange ? 5_000 : AGAIN_MS;
  if (asking || Date.now() - atMs < wait) return;
  asking = true;
  getAll<SiteView>('/sites').then(
    (sites) => {
      asking = false;
      known.set({ sites, ends: endsOf(sites), atMs: Date.now() });
    },
    () => {
      asking = false;
    },
  );
}

function useKnown(): Known {
  useEffect(() => {
    refresh();
    return live.watch(refresh);
  }, []);
  return useStore(known);
}

export function useEnds(): ReadonlyMap<string, Ends> {
  return useKnown().ends;
}

export function useSites(): readonly SiteView[] {
  return useKnown().sites;
}
