/** The reference of metrics, from what a node exports. */

const HEAD = `# Metrics

*Made from \`node/metrics.ts\` and \`node/counted.ts\` by \`npm run docs\`; change it there.*

\`GET /metrics\` of every node answers in Prometheus' text form (\`api.metrics\` says who may read it). Names begin with \`holt_\`, units are
seconds and bytes, counters end in \`_total\` and begin anew when a node starts. Figures of a pipeline's state and lag are told by every
node that has a part in it, so that they are there while some node is: take the largest. What is not known has no sample.
Beside these there are the usual figures of the process (\`process_*\`, \`nodejs_*\`).

\`monitoring/prometheus/holt-rules.yaml\` has recording and alert rules, \`monitoring/grafana/holt-dashboard.json\` a dashboard; tests check both
against this list.

| metric | kind | labels | what it is |
|---|---|---|---|
`;

/** @param {readonly {name: string, help: string, kind: string, labels: readonly string[]}[]} metrics @returns {string} Markdown */
export function metricsPage(metrics) {
  const rows = metrics.map(
    ({ name, help, kind, labels }) =>
      `| \`${name}\` | ${kind} | ${labels.map((one) => `\`${one}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`,
  );
  return `${HEAD}${rows.join('\n')}\n`;
}
