import type { PipelineConfig } from '../model/config.ts';

export interface RoutingProblem {
  readonly pipeline: string;
  readonly message: string;
}

/**
 * Whether every change reaches every site of its channel by exactly one path (protocol section 6).
 *
 * Within a channel, a change made at site o travels along the pipelines that carry origin o. Two paths to one site
 * would apply it twice; none would lose it there. A path back to its own site would be an echo.
 */
export function originProblems(pipelines: readonly PipelineConfig[]): RoutingProblem[] {
  const problems: RoutingProblem[] = [];
  for (const channel of new Set(pipelines.map((one) => one.channel))) {
    const members = pipelines.filter((one) => one.channel === channel);
    const twoWay = members.length > 1;
    const sources = new Set(members.map((one) => one.sourceSite));
    const sites = new Set(members.flatMap((one) => [one.sourceSite, one.targetSite]));
    for (const member of members)
      for (const origin of member.origins)
        if (!sites.has(origin))
          problems.push({
            pipeline: member.name,
            message: `origin ${origin} is no site of channel ${channel}`,
          });
    for (const origin of sources) {
      const paths = new Map<string, number>([[origin, 1]]);
      const carrying = members.filter((one) => one.origins.includes(origin));
      for (let round = 0; round < members.length; round++) {
        const next = new Map<string, number>([[origin, 1]]);
        for (const one of carrying)
          next.set(one.targetSite, (next.get(one.targetSite) ?? 0) + (paths.get(one.sourceSite) ?? 0));
        paths.clear();
        for (const [site, count] of next) paths.set(site, count);
      }
      for (const site of sites) {
        const count = paths.get(site) ?? 0;
        const expected = 1;
        const reader =
          carrying.find((one) => one.targetSite === site) ?? members.find((one) => one.targetSite === site);
        if (site === origin && count > expected) {
          const back = carrying.find((one) => one.targetSite === origin);
          if (back !== undefined)
            problems.push({
              pipeline: back.name,
              message: `changes made at ${origin} would come back to ${origin}: take it out of origins`,
            });
        } else if (site !== origin && count > expected && reader !== undefined) {
          problems.push({
            pipeline: reader.name,
            message: `changes made at ${origin} reach ${site} by more than one path`,
          });
        } else if (site !== origin && count === 0 && twoWay && reader !== undefined) {
          problems.push({
            pipeline: reader.name,
            message: `changes made at ${origin} have no path to ${site}`,
          });
        }
      }
    }
  }
  return problems;
}
