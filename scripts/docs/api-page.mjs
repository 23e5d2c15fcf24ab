/** docs/reference/api.md, from the OpenAPI document. */

const ACCESS = { public: 'no account', account: 'any account' };

export function apiPage(document) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      ...operation,
    })),
  );
  const sections = document.tags.map(({ name }) => {
    const own = operations.filter((one) => one.tags.includes(name));
    return [`## ${name}`, '', ...own.flatMap((one) => operationText(one)), ''].join('\n');
  });
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) =>
    schemaText(name, schema),
  );
  return [
    '# HTTP API',
    '',
    'Made by `npm run docs` from the table of routes; a node serves the same as OpenAPI 3.1 at `/api/v1/openapi.json`.',
    '',
    document.info.description,
    '',
    'Programs send `Authorization: Bearer <token>`. A browser logs in with `POST /session`, keeps the cookie, and sends the',
    '`csrf` value of the answer as the header `holt-csrf` with everything that changes something. Times are milliseconds since 1970.',
    '',
    '| request | needs | does |',
    '| --- | --- | --- |',
    ...operations.map(
      (one) =>
        `| [${one.method} ${one.path}](#${one.operationId.toLowerCase()}) | ${ACCESS[one['x-holt-access']] ?? one['x-holt-access']} | ${one.summary} |`,
    ),
    '',
    'Beside it, without `/api/v1` and without account: `/livez`, `/readyz`, and `/metrics` (unless `api.metrics` is `token`).',
    '',
    ...sections,
    '## Schemas',
    '',
    ...schemas,
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\n*$/, '\n');
}

function operationText(one) {
  const lines = [
    `### ${one.operationId}`,
    '',
    `\`${one.method} /api/v1${one.path}\`: ${one.summary} ${one.description}`,
    '',
  ];
  const fields = [
    ...(one.parameters ?? []).map((each) => [
      each.name,
      each.in,
      typeOf(each.schema),
      each.required,
      each.description,
    ]),
    ...bodyFields(one.requestBody?.content['application/json'].schema),
  ];
  if (fields.length > 0) {
    lines.push('| field | in | type | |', '| --- | --- | --- | --- |');
    for (const [name, where, type, required, description] of fields)
      lines.push(
        `| \`${name}\` | ${where} | ${type} | ${required ? 'required. ' : ''}${cell(description ?? '')} |`,
      );
    lines.push('');
  }
  for (const [status, answer] of Object.entries(one.responses)) {
    if (status === 'default') continue;
    const schema =
      answer.content?.['application/json']?.schema ?? answer.content?.['text/event-stream']?.schema;
    lines.push(`- ${status}: ${schema === undefined ? answer.description : typeOf(schema)}`);
  }
  lines.push('');
  return lines;
}

function bodyFields(schema) {
  if (schema === undefined) return [];
  return Object.entries(schema.properties ?? {}).map(([name, each]) => [
    name,
    'body',
    typeOf(each),
    (schema.required ?? []).includes(name) && each.default === undefined,
    each.description,
  ]);
}

function schemaText(name, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(
    ([field, each]) => `| \`${field}\` | ${typeOf(each)} | ${cell(each.description ?? '')} |`,
  );
  return [`### ${name}`, '', '| field | type | |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

function typeOf(schema) {
  if (schema === undefined) return '';
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1);
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${one}\``).join(', ');
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return [...new Set(options.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
  if (schema.properties?.items !== undefined && schema.properties?.next !== undefined)
    return `page of ${typeOf(schema.properties.items.items)}`;
  return schema.type ?? 'any';
}

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
