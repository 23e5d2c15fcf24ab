/** A role, with what it may do. */
import type { Role } from '../../node/access/role.ts';

const MAY: readonly { readonly role: Role; readonly text: string }[] = [
  { role: 'viewer', text: 'sees states and figures, no row values' },
  { role: 'operator', text: 'acts on pipelines and tables, sees rows of the ledger' },
  { role: 'admin', text: 'accounts, audit, positions, configuration' },
];

export function RoleField({
  role,
  most,
  choose,
}: {
  readonly role: Role;
  /** The highest that may be given. */
  readonly most: Role;
  readonly choose: (role: Role) => void;
}) {
  const offered = MAY.slice(0, MAY.findIndex((one) => one.role === most) + 1);
  return (
    <fieldset class="radios">
      <legend>Role</legend>
      {offered.map((one) => (
        <label key={one.role}>
          <input
            type="radio"
            name="role"
            value={one.role}
            checked={role === one.role}
            onChange={() => choose(one.role)}
          />
          <span>
            {one.role} <span class="hint">{one.text}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
