/** The reference of error codes, from the list itself: its texts are the manual. */

const HEAD = `# Error codes

*Made from \`model/error-codes.ts\` by \`npm run docs\`; change it there.*

Every error of Holt carries one of these codes: on the command line in brackets, in \`-o json\`, in the API's answers, in \`holt status\`
as the reason of a pipeline, and in the logs as \`code\`. A code, once released, keeps its meaning.

| code | what has happened | what to do |
|---|---|---|
`;

/** @param {Readonly<Record<string, {what: string, remedy: string}>>} codes @returns {string} Markdown */
export function errorsPage(codes) {
  const lines = Object.entries(codes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { what, remedy }]) => `| \`${code}\` | ${cell(what)} | ${cell(remedy)} |`);
  return `${HEAD}${lines.join('\n')}\n`;
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
