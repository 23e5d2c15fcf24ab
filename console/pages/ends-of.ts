/** Where pipelines read and write, out of what sites say of themselves: pure. */
import type { SiteView } from '../../node/cluster-views.ts';

export interface Ends {
  readonly from: string;
  readonly to: string;
}

export function endsOf(sites: readonly SiteView[]): ReadonlyMap<string, Ends> {
  const from = new Map(sites.flatMap(({ site, outgoing }) => outgoing.map((name) => [name, site] as const)));
  return new Map(
    sites.flatMap(({ site, incoming }) =>
      incoming.flatMap((name) => {
        const source = from.get(name);
        return source === undefined ? [] : [[name, { from: source, to: site }] as const];
      }),
    ),
  );
}
