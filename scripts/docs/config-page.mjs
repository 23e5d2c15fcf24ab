/**
 * The reference of configuration keys, from the JSON Schema that `holt config schema` prints: what the validator accepts is what the
 * page says.
 */

/** Form of a value → what a person writes there. The patterns are those of conf/schema.ts. */
const FORMS = [
  [/\(ms\|s\|m\|h\|d\)/, 'duration'],
  [/\(B\|KiB\|MiB\|GiB\)/, 'size'],
  [/\(env\|file\)/, 'reference'],
  [/:\[0-9\]\+\$/, '`host:port`'],
  [/^\^\[\^\.\\s\]/, 'pattern'],
  [/\{0,62\}/, 'name'],
];

const HEAD = `# Configuration

*Made from \`conf/schema.ts\` by \`npm run docs\`; change it there.*

A configuration is one or more YAML documents, in one file or a folder of files. Each has \`apiVersion: holt/v1\`, a \`kind\`,
\`metadata.name\` and a \`spec\`. The kind \`Holt\` may hold everything; \`Installation\`, \`DataSource\`, \`Channel\` and \`Node\` hold
one part each, with the keys of that part directly below \`spec\`. Unknown keys are errors. \`holt config check\` names every
problem at once, \`holt config show\` prints what is in effect, \`holt config schema\` the JSON Schema for editors. Relative paths begin
at the folder of the file they stand in.

Keys are shown as they stand below \`spec\` of the kind \`Holt\`. \`<name>\` stands for a name that you choose, \`[]\` for the items of a list.

- *duration*: a number with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`, such as \`30s\`
- *size*: a number with \`B\`, \`KiB\`, \`MiB\` or \`GiB\`, such as \`64MiB\`
- *reference*: \`\${env:NAME}\` or \`\${file:path}\`; a secret itself is refused
- *pattern*: \`schema.table\` with the wildcards \`*\` and \`?\`
- *name*: lower-case letters, digits, \`-\`, \`_\` and \`.\`
`;

/** @param {object} schema the JSON Schema of a document @returns {string} Markdown */
export function configPage(schema) {
  const holt = (schema.anyOf ?? schema.oneOf).find((one) => one.properties.kind.const === 'Holt');
  const { spec } = holt.properties;
  const sections = Object.entries(spec.properties).map(([name, one]) => {
    const rows = rowsOf(name, one, (spec.required ?? []).includes(name));
    // A block's own sentence stands above its table.
    const keys = rows.length > 1 ? rows.slice(1) : rows;
    return `\n## ${name}\n\n${one.description ?? ''}\n\n${table(keys)}`;
  });
  return `${HEAD}${sections.join('')}`;
}

/** Keys without a sentence: a page that says nothing of a key is no reference. @returns {string[]} */
export function undescribedKeys(schema) {
  const holt = (schema.anyOf ?? schema.oneOf).find((one) => one.properties.kind.const === 'Holt');
  return Object.entries(holt.properties.spec.properties)
    .flatMap(([name, one]) => rowsOf(name, one, false))
    .filter((row) => row.meaning === '')
    .map((row) => row.key);
}

function rowsOf(key, schema, required) {
  const inner = [];
  if (schema.properties !== undefined)
    for (const [name, one] of Object.entries(schema.properties))
      inner.push(...rowsOf(`${key}.${name}`, one, (schema.required ?? []).includes(name)));
  else if (typeof schema.additionalProperties === 'object' && isObject(schema.additionalProperties))
    inner.push(
      ...rowsOf(`${key}.<name>`, schema.additionalProperties, false).filter(
        (row) => row.meaning !== '' || !row.isBlock,
      ),
    );
  else if (schema.items !== undefined && isObject(schema.items))
    inner.push(
      ...rowsOf(`${key}[]`, schema.items, false).filter((row) => !row.isBlock || row.meaning !== ''),
    );
  const own = {
    key,
    isBlock: inner.length > 0,
    type: inner.length > 0 ? blockOf(schema) : typeOf(schema),
    fallback: required ? 'required' : fallbackOf(schema, inner.length > 0),
    meaning: schema.description ?? '',
  };
  return [own, ...inner];
}

function blockOf(schema) {
  if (schema.items !== undefined) return 'list of blocks';
  return schema.properties === undefined ? 'blocks by name' : 'block';
}

function isObject(schema) {
  return schema.properties !== undefined;
}

function typeOf(schema) {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(', or ');
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ type })).join(', or ');
  switch (schema.type) {
    case 'null':
      return '`null`';
    case 'array':
      return `list of: ${typeOf(schema.items)}`;
    case 'integer':
      return `integer${range(schema)}`;
    case 'object':
      return schema.properties === undefined
        ? `map of: ${typeOf(schema.additionalProperties)}`
        : `\`{${Object.keys(schema.properties).join(', ')}}\``;
    case 'string':
      if (schema.format === 'date-time') return 'ISO instant';
      return FORMS.find(([form]) => form.test(schema.pattern ?? ''))?.[1] ?? 'text';
    default:
      return schema.type;
  }
}

function range({ minimum, maximum }) {
  if (minimum === undefined) return '';
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? `, at least ${minimum}`
    : ` from ${minimum} to ${maximum}`;
}

function fallbackOf(schema, isBlock) {
  if (schema.default === undefined || isBlock) return '';
  const value = schema.default;
  if (Array.isArray(value)) return value.length === 0 ? '' : value.map((one) => `\`${one}\``).join(', ');
  if (typeof value === 'object') return '';
  return `\`${value}\``;
}

function table(rows) {
  const lines = rows.map(
    ({ key, type, fallback, meaning }) =>
      `| \`${key}\` | ${cell(type)} | ${cell(fallback)} | ${cell(meaning)} |`,
  );
  return ['| key | value | default | what it is |', '|---|---|---|---|', ...lines, ''].join('\n');
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
