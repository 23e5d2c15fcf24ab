/** The document of types and keys, from the tables of cases that the tests run. */

const HEAD = `# What Holt replicates, type by type

*Made from \`test/cases/\` by \`npm run docs\`; change it there.*

Every line below is run by the tests: decoded from the server's own binlog and held against what the server says of the
value, applied at a target of each kind and compared byte by byte, and carried through all four stages. *Exact* means the
same bytes in the column.
`;

/** @param {readonly string[]} sections @returns {string} Markdown; a section begins with its own heading */
export function typesPage(sections) {
  return `${[HEAD, ...sections].map((part) => part.trimEnd()).join('\n\n')}\n`;
}

const SERVERS = { mysql56: 'MySQL 5.6', mysql: 'MySQL 9.7', mariadb: 'MariaDB 10.11' };

/**
 * @param {object} table
 * @param {readonly string[]} table.families in the order of the document
 * @param {readonly any[]} table.cases
 * @param {(one: any, source: string, target: string) => any} table.outcomeOf
 * @returns {string} Markdown
 */
export function columnTypesSection({ families, cases, outcomeOf }) {
  const servers = Object.keys(SERVERS);
  const lines = ['## Column types', ''];
  for (const family of families) {
    const titles = byTitle(cases.filter((one) => one.family === family));
    lines.push(`### ${family}`, '');
    lines.push(`| type | ${servers.map((server) => `from ${SERVERS[server]}`).join(' | ')} |`);
    lines.push(`|---|${servers.map(() => '---').join('|')}|`);
    const notes = new Map();
    for (const [title, group] of titles) {
      const cells = servers.map((source) => {
        const mine = group.filter((one) => one.on.includes(source));
        if (mine.length === 0) return 'has none';
        return cellOf(mine, source, servers, outcomeOf, notes, title);
      });
      lines.push(`| ${escaped(title)} | ${cells.join(' | ')} |`);
    }
    lines.push('');
    for (const { title, source, code, why, targets } of notes.values())
      lines.push(`- ${title}, ${SERVERS[source]} to ${targets.join(' and ')}:${code} ${why}.`);
    if (notes.size > 0) lines.push('');
  }
  lines.push(...foreignBytes(cases));
  return lines.join('\n');
}

/** `exact`, or what is not, target by target; the reasons go below the table. */
function cellOf(group, source, servers, outcomeOf, notes, title) {
  const parts = [];
  let exact = 0;
  for (const target of servers) {
    const outcomes = group.map((one) => outcomeOf(one, source, target));
    const worst =
      outcomes.find(({ kind }) => kind === 'refused') ??
      outcomes.find(({ kind }) => kind === 'canonical') ??
      outcomes.find(({ why }) => why !== undefined) ??
      outcomes[0];
    if (worst.kind === 'exact') exact += 1;
    if (worst.kind === 'canonical') parts.push(`to ${SERVERS[target]} as ${FORMS[worst.form]}`);
    if (worst.kind === 'refused') parts.push(`to ${SERVERS[target]} refused`);
    if (worst.why !== undefined) {
      const code = worst.kind === 'refused' ? ` \`${worst.code}\`:` : '';
      const key = [title, source, code, worst.why].join('|');
      const note = notes.get(key) ?? { title, source, code, why: worst.why, targets: [] };
      note.targets.push(SERVERS[target]);
      notes.set(key, note);
    }
  }
  if (exact === servers.length) return 'exact';
  if (parts.length === servers.length && parts.every((part) => part.endsWith('refused'))) return 'refused';
  return [...(exact > 0 ? ['exact'] : []), ...parts].join('; ');
}

const FORMS = { json: 'the same document', printed: 'the same text', number: 'the same number' };

function byTitle(cases) {
  const groups = new Map();
  for (const one of cases) groups.set(one.title, [...(groups.get(one.title) ?? []), one]);
  return groups;
}

function foreignBytes(cases) {
  const lines = [
    '### Bytes that are no text of their character set',
    '',
    'A row of the log can hold them: servers look at statements and not at row events. The target stores them exactly where it',
    'takes them; else the change goes to the ledger as `foreign-bytes` (`HOLT_ROW_FOREIGN_BYTES`) with its images, nothing of it',
    'is applied, and the rows around it go on. No byte is ever replaced.',
    '',
    '| character set | bytes | stored exactly by |',
    '|---|---|---|',
  ];
  for (const one of cases)
    for (const { what, bytes, storedBy } of one.foreign ?? []) {
      const by = storedBy.map((server) => SERVERS[server]).join(', ');
      const charset = one.id.replace(/^[a-z]+_/, '');
      lines.push(
        `| ${charset} | ${what} (\`${bytes.toString('hex')}\`) | ${by === '' ? 'none: ledger' : by} |`,
      );
    }
  return lines;
}

function escaped(text) {
  return text.replaceAll('|', '\\|');
}
