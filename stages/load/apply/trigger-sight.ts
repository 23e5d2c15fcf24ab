/**
 * Whether an account would be shown the triggers of a table. MySQL lists them in INFORMATION_SCHEMA only for accounts with TRIGGER on the
 * table, and to others the table looks as if it had none: its triggers would act a second time, unseen. MariaDB (10.11)
 * shows them to whoever sees the table.
 */

const GRANT = /^(GRANT|REVOKE) (.*?) ON (?:TABLE )?(\*|`(?:[^`]|``)+`)\.(\*|`(?:[^`]|``)+`) (?:TO|FROM) /;

/** @param grants the lines of SHOW GRANTS in the session itself: MySQL gives those of its active roles with them. Pure. */
export function seesTriggers(grants: readonly string[], schema: string, table: string): boolean {
  let sees = false;
  let isRevoked = false;
  for (const line of grants) {
    const [, verb, privileges = '', schemaPart = '', tablePart = ''] = GRANT.exec(line) ?? [];
    if (verb === undefined || !/(?:^|, )(?:TRIGGER|ALL PRIVILEGES)(?:,|$)/.test(privileges)) continue;
    if (!coversSchema(schemaPart, schema) || !(tablePart === '*' || nameOf(tablePart) === table)) continue;
    // Of a partial revoke: it takes from what is granted everywhere, not from a grant on the schema itself.
    if (verb === 'REVOKE') isRevoked = true;
    else if (schemaPart !== '*') return true;
    else sees = true;
  }
  return sees && !isRevoked;
}

/** In a grant on a whole schema, `%` and `_` of its name are wildcards unless escaped. */
function coversSchema(part: string, schema: string): boolean {
  if (part === '*') return true;
  const form = nameOf(part).replace(/\\?[\s\S]/g, (found) => {
    if (found === '%') return '.*';
    if (found === '_') return '.';
    const plain = found.length === 2 && /[%_\\]/.test(found[1] ?? '') ? (found[1] ?? '') : found;
    return plain.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  });
  return new RegExp(`^${form}$`, 'su').test(schema);
}

function nameOf(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('``', '`');
}
