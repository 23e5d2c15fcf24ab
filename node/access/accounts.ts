/**
 * Accounts, tokens and logins: finds out who a request comes from, and changes who may come. Records live in the
 * coordination tree, so that every node of every site knows the same.
 */
import type { Clock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ApiConfig } from '../../model/config.ts';
import { ACCESS } from '../../scheduler/paths.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import { LoginThrottle } from './login-throttle.ts';
import { checkPassword, hashPassword, PASSWORD_COST, type PasswordCost, passwordFits } from './password.ts';
import {
  accountName,
  type SessionRecord,
  type SetupRecord,
  sealer,
  sessionRecord,
  setupRecord,
  type TokenRecord,
  tokenRecord,
  type UserRecord,
  userRecord,
} from './records.ts';
import { atLeast, lesser, mayTouch, type Principal, type Role, scopesOf } from './role.ts';
import { SealedRecords } from './sealed-records.ts';
import { hashSecret, newSecret, parseSecret, sameText } from './secret-token.ts';

/** A token of the configuration that is shorter could be guessed. */
export const MIN_CONFIG_TOKEN = 24;
const SETUP_MS = 24 * 3_600_000;
/** Lasts longer than any proxy remembers; the last use is written no more often than this. */
const LAST_USE_MS = 10 * 60_000;
const CHANGE_TRIES = 5;

export interface AccountsOptions {
  readonly tree: CoordinationTree;
  /** Seals records: `sealKey` of the cluster key. */
  readonly key: Buffer;
  readonly api: Pick<ApiConfig, 'auth' | 'token' | 'sessionMs'>;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly passwordCost?: PasswordCost;
}

export interface Login {
  readonly principal: Principal;
  /** For the cookie. */
  readonly session: string;
  readonly expiresMs: number;
}

export interface TokenWish {
  readonly name: string;
  readonly role: Role;
  readonly pipelines: readonly string[] | null;
  readonly expiresMs: number | null;
}

export interface UserWish {
  readonly name: string;
  readonly role: Role;
  readonly pipelines: readonly string[] | null;
  readonly password: string;
}

export interface UserChange {
  readonly role?: Role | undefined;
  readonly pipelines?: readonly string[] | null | undefined;
  readonly disabled?: boolean | undefined;
  readonly password?: string | undefined;
}

const ANYONE: Principal = { kind: 'anyone', name: 'anyone', role: 'admin', scopes: [], user: null };
const BY_CONFIG: Principal = { kind: 'config', name: 'api.token', role: 'admin', scopes: [], user: null };

export class Accounts {
  readonly #options: AccountsOptions;
  readonly #throttle: LoginThrottle;
  readonly #users: SealedRecords<UserRecord>;
  readonly #tokens: SealedRecords<TokenRecord>;
  readonly #sessions: SealedRecords<SessionRecord>;
  readonly #setup: SealedRecords<SetupRecord>;
  readonly #cost: PasswordCost;

  constructor(options: AccountsOptions) {
    this.#options = options;
    this.#throttle = new LoginThrottle(options.clock);
    this.#cost = options.passwordCost ?? PASSWORD_COST;
    const { tree, key, clock, log } = options;
    const records = <T>(schema: Parameters<typeof sealer<T>>[0], parent: string) =>
      new SealedRecords<T>({ tree, sealer: sealer(schema, key), parent, clock, log });
    this.#users = records(userRecord, `${ACCESS}/user`);
    this.#tokens = records(tokenRecord, `${ACCESS}/token`);
    this.#sessions = records(sessionRecord, `${ACCESS}/session`);
    this.#setup = records(setupRecord, ACCESS);
    const fixed = options.api.token?.resolve();
    if (fixed !== undefined && (fixed.length < MIN_CONFIG_TOKEN || !/^[\x21-\x7e]{1,512}$/.test(fixed)))
      throw new HoltError(
        'HOLT_API_TOKEN_WEAK',
        fixed.length < MIN_CONFIG_TOKEN
          ? `api.token has ${fixed.length} characters; at least ${MIN_CONFIG_TOKEN} are needed`
          : 'api.token has blanks or other signs that cannot stand in a header, or is too long',
        { disposition: 'fatal' },
      );
  }

  /** Who may do what without asking: everybody, where login is switched off; else nobody. */
  get open(): Principal | null {
    return this.#options.api.auth ? null : ANYONE;
  }

  // ── who is it ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** @returns null for a token that is none, has expired, or belongs to an account that may not come any more. */
  async byToken(text: string, from: string): Promise<Principal | null> {
    const { api, clock } = this.#options;
    if (api.token !== null && sameText(hashSecret(text), hashSecret(api.token.resolve()))) return BY_CONFIG;
    const parsed = parseSecret('token', text);
    if (parsed === null) return null;
    const record = await this.#tokens.get(parsed.id);
    if (record === null || !sameText(record.hash, parsed.hash)) return null;
    if (record.expiresMs !== null && record.expiresMs <= clock.nowMs()) return null;
    const owner = record.user === null ? null : await this.#users.get(record.user);
    if (record.user !== null && (owner === null || owner.disabled)) return null;
    this.#noteUse(record, from);
    return {
      kind: 'token',
      name: record.user === null ? `token ${record.name}` : `${record.user} (token ${record.name})`,
      role: owner === null ? record.role : lesser(record.role, owner.role),
      scopes: scopesOf(record.pipelines, owner?.pipelines ?? null),
      user: record.user,
    };
  }

  async bySession(text: string): Promise<Login | null> {
    const parsed = parseSecret('session', text);
    if (parsed === null) return null;
    const record = await this.#sessions.get(parsed.id);
    if (
      record === null ||
      !sameText(record.hash, parsed.hash) ||
      record.expiresMs <= this.#options.clock.nowMs()
    )
      return null;
    const user = await this.#users.get(record.user);
    if (user === null || user.disabled || user.generation !== record.generation) return null;
    return { principal: principalOf(user), session: text, expiresMs: record.expiresMs };
  }

  /** @throws HoltError HOLT_LOGIN_FAILED, HOLT_LOGIN_LOCKED. */
  async login(name: string, password: string, from: string): Promise<Login> {
    const waitMs = this.#throttle.waitMs(name, from);
    if (waitMs > 0) throw locked(waitMs);
    const user = accountName.safeParse(name).success ? ((await this.#users.read(name))?.value ?? null) : null;
    const fits = await passwordFits(password, user?.password ?? null, this.#cost);
    if (user === null || !fits || user.disabled) {
      this.#throttle.failed(name, from);
      throw new HoltError('HOLT_LOGIN_FAILED', 'name or password is wrong', { disposition: 'fatal' });
    }
    this.#throttle.succeeded(name, from);
    await this.#forgetOldSessions();
    return this.#begin(user, from);
  }

  async logout(text: string): Promise<void> {
    const parsed = parseSecret('session', text);
    if (parsed === null) return;
    const record = await this.#sessions.read(parsed.id);
    if (record !== null && sameText(record.value.hash, parsed.hash)) await this.#sessions.remove(parsed.id);
  }

  async #begin(user: UserRecord, from: string): Promise<Login> {
    const { clock, api } = this.#options;
    const secret = newSecret('session');
    const now = Math.round(clock.nowMs());
    const expiresMs = now + api.sessionMs;
    await this.#sessions.create(secret.id, {
      version: 1,
      user: user.name,
      generation: user.generation,
      hash: secret.hash,
      createdMs: now,
      expiresMs,
      from: from.slice(0, 64),
    });
    return { principal: principalOf(user), session: secret.text, expiresMs };
  }

  async #forgetOldSessions(): Promise<void> {
    const now = this.#options.clock.nowMs();
    for (const id of await this.#sessions.names()) {
      const record = await this.#sessions.get(id);
      if (record === null || record.expiresMs <= now) await this.#sessions.remove(id);
    }
  }

  #noteUse(record: TokenRecord, from: string): void {
    const now = Math.round(this.#options.clock.nowMs());
    if (record.lastUsedMs !== null && now - record.lastUsedMs < LAST_USE_MS) return;
    const note = async () => {
      const found = await this.#tokens.read(record.id);
      if (found === null || (found.value.lastUsedMs ?? 0) > now - LAST_USE_MS) return;
      await this.#tokens.replace(
        record.id,
        { ...found.value, lastUsedMs: now, lastUsedFrom: from.slice(0, 64) },
        found.version,
      );
    };
    note().catch((error: unknown) => {
      if (!isTreeError(error, 'bad-version', 'no-node'))
        this.#options.log.debug(
          { event: 'access:use:unwritten', reason: messageOf(error) },
          'the use of a token was not noted',
        );
    });
  }

  // ── the first account ──────────────────────────────────────────────────────────────────────────────────────────

  /** True while there is no account at all. */
  async needsSetup(): Promise<boolean> {
    return (await this.#users.names()).length === 0;
  }

  /**
   * While there is no account: the token with which the first one is made, or who printed it already. Null when there are accounts.
   * A node that starts again makes a new one in place of its own, since nobody may have read the first.
   */
  async offerSetup(): Promise<{
    readonly token: string | null;
    readonly by: string;
    readonly expiresMs: number;
  } | null> {
    if (!this.#options.api.auth || !(await this.needsSetup())) return null;
    const { node, clock } = this.#options;
    const now = Math.round(clock.nowMs());
    for (let attempt = 0; ; attempt++) {
      const known = await this.#setup.read('setup');
      if (known !== null && known.value.by !== node && known.value.expiresMs > now)
        return { token: null, by: known.value.by, expiresMs: known.value.expiresMs };
      const secret = newSecret('setup');
      const record: SetupRecord = {
        version: 1,
        hash: secret.hash,
        by: node,
        createdMs: now,
        expiresMs: now + SETUP_MS,
      };
      try {
        if (known === null) {
          // What stands there and is not ours to read must not keep us out.
          await this.#setup.remove('setup');
          await this.#setup.create('setup', record);
        } else await this.#setup.replace('setup', record, known.version);
        return { token: secret.text, by: node, expiresMs: record.expiresMs };
      } catch (error) {
        if (attempt >= CHANGE_TRIES || !isTreeError(error, 'node-exists', 'bad-version', 'no-node'))
          throw error;
      }
    }
  }

  /** Makes the first account, an administrator, and logs it in. The token is good for one. */
  async setup(token: string, name: string, password: string, from: string): Promise<Login> {
    const waitMs = this.#throttle.waitMs('', from);
    if (waitMs > 0) throw locked(waitMs);
    const parsed = parseSecret('setup', token.trim());
    const record = await this.#setup.read('setup');
    const isRight =
      parsed !== null &&
      record !== null &&
      record.value.expiresMs > this.#options.clock.nowMs() &&
      sameText(record.value.hash, parsed.hash);
    if (!isRight || !(await this.needsSetup())) {
      this.#throttle.failed('', from);
      throw new HoltError(
        'HOLT_SETUP_REFUSED',
        'the setup token is not the one that was printed last, or was used',
        {
          disposition: 'fatal',
        },
      );
    }
    await this.createUser({ name, role: 'admin', pipelines: null, password }, 'setup');
    await this.#setup.remove('setup');
    const user = await this.#users.read(name);
    if (user === null) throw unknownAccount(name);
    return this.#begin(user.value, from);
  }

  // ── accounts ───────────────────────────────────────────────────────────────────────────────────────────────────

  users(): Promise<readonly UserRecord[]> {
    return this.#users.list();
  }

  async createUser({ name, role, pipelines, password }: UserWish, by: string): Promise<UserRecord> {
    checkPassword(password, name);
    const now = Math.round(this.#options.clock.nowMs());
    const record: UserRecord = {
      version: 1,
      name,
      role,
      pipelines: pipelines === null ? null : [...pipelines],
      disabled: false,
      password: await hashPassword(password, this.#cost),
      generation: 0,
      createdMs: now,
      createdBy: by,
      changedMs: now,
    };
    try {
      await this.#users.create(name, record);
    } catch (error) {
      if (!isTreeError(error, 'node-exists')) throw error;
      throw new HoltError('HOLT_ACCOUNT_EXISTS', `there is an account ${name} already`, {
        disposition: 'fatal',
      });
    }
    return record;
  }

  /** Ends every login of the account unless only `keep` may stay. */
  async changeUser(name: string, change: UserChange): Promise<UserRecord> {
    if (change.password !== undefined) checkPassword(change.password, name);
    const password = change.password === undefined ? null : await hashPassword(change.password, this.#cost);
    for (let attempt = 0; ; attempt++) {
      const found = await this.#users.read(name);
      if (found === null) throw unknownAccount(name);
      const next: UserRecord = {
        ...found.value,
        role: change.role ?? found.value.role,
        pipelines:
          change.pipelines === undefined ? found.value.pipelines : change.pipelines && [...change.pipelines],
        disabled: change.disabled ?? found.value.disabled,
        password: password ?? found.value.password,
        generation: found.value.generation + 1,
        changedMs: Math.round(this.#options.clock.nowMs()),
      };
      if (isFullAdmin(found.value) && !isFullAdmin(next)) await this.#mustNotBeLast(name);
      try {
        await this.#users.replace(name, next, found.version);
        return next;
      } catch (error) {
        if (attempt >= CHANGE_TRIES || !isTreeError(error, 'bad-version')) throw error;
      }
    }
  }

  /** Its tokens and logins go with it. */
  async deleteUser(name: string): Promise<void> {
    const found = await this.#users.read(name);
    if (found === null) throw unknownAccount(name);
    if (isFullAdmin(found.value)) await this.#mustNotBeLast(name);
    await this.#users.remove(name);
    for (const token of await this.#tokens.list())
      if (token.user === name) await this.#tokens.remove(token.id);
  }

  async #mustNotBeLast(name: string): Promise<void> {
    if ((await this.#users.list()).some((one) => one.name !== name && isFullAdmin(one))) return;
    throw new HoltError('HOLT_LAST_ADMIN', `${name} is the only administrator`, { disposition: 'fatal' });
  }

  /** Of one's own account, with the old password shown again. */
  async changeOwnPassword(name: string, old: string, next: string, from: string): Promise<void> {
    const waitMs = this.#throttle.waitMs(name, from);
    if (waitMs > 0) throw locked(waitMs);
    const found = await this.#users.read(name);
    if (found === null || !(await passwordFits(old, found.value.password))) {
      this.#throttle.failed(name, from);
      throw new HoltError('HOLT_LOGIN_FAILED', 'the old password is wrong', { disposition: 'fatal' });
    }
    await this.changeUser(name, { password: next });
  }

  // ── tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Those of the principal itself, or all of them for administrators. */
  async tokens(principal: Principal): Promise<readonly TokenRecord[]> {
    const all = await this.#tokens.list();
    return isUnbound(principal) ? all : all.filter((one) => one.user !== null && one.user === principal.user);
  }

  /** Never with more than its maker may do itself. */
  async createToken(
    principal: Principal,
    wish: TokenWish,
  ): Promise<{ readonly record: TokenRecord; readonly text: string }> {
    const { clock } = this.#options;
    if (!atLeast(principal.role, wish.role))
      throw new HoltError(
        'HOLT_FORBIDDEN',
        `a ${principal.role} cannot make a token with the role ${wish.role}`,
        {
          disposition: 'fatal',
        },
      );
    if (
      wish.pipelines === null
        ? principal.scopes.length > 0
        : !wish.pipelines.every((one) => mayTouch(principal, one))
    )
      throw new HoltError(
        'HOLT_FORBIDDEN',
        'the token would reach further than its maker: name its pipelines',
        {
          disposition: 'fatal',
        },
      );
    const secret = newSecret('token');
    const now = Math.round(clock.nowMs());
    const record: TokenRecord = {
      version: 1,
      id: secret.id,
      name: wish.name,
      role: wish.role,
      pipelines: wish.pipelines === null ? null : [...wish.pipelines],
      user: principal.user,
      hash: secret.hash,
      createdMs: now,
      createdBy: principal.name.slice(0, 256),
      expiresMs: wish.expiresMs,
      lastUsedMs: null,
      lastUsedFrom: null,
    };
    await this.#tokens.create(secret.id, record);
    return { record, text: secret.text };
  }

  async revokeToken(principal: Principal, id: string): Promise<TokenRecord> {
    const found = /^[0-9a-f]{16}$/.test(id) ? await this.#tokens.read(id) : null;
    if (found === null || (!isUnbound(principal) && found.value.user !== principal.user))
      throw new HoltError('HOLT_TOKEN_UNKNOWN', `there is no token ${JSON.stringify(id)}`, {
        disposition: 'fatal',
      });
    await this.#tokens.remove(id);
    return found.value;
  }
}

/** An administrator of everything. */
const isUnbound = (principal: Principal) => principal.role === 'admin' && principal.scopes.length === 0;

const isFullAdmin = (user: UserRecord) => user.role === 'admin' && user.pipelines === null && !user.disabled;

function principalOf(user: UserRecord): Principal {
  return {
    kind: 'user',
    name: user.name,
    role: user.role,
    scopes: scopesOf(user.pipelines),
    user: user.name,
  };
}

function locked(waitMs: number): HoltError {
  const seconds = Math.ceil(waitMs / 1000);
  return new HoltError(
    'HOLT_LOGIN_LOCKED',
    `too many wrong attempts; the next one is looked at in ${seconds} s`,
    {
      disposition: 'retry',
      facts: { retryAfterSeconds: seconds },
    },
  );
}

function unknownAccount(name: string): HoltError {
  return new HoltError('HOLT_ACCOUNT_UNKNOWN', `there is no account ${JSON.stringify(name)}`, {
    disposition: 'fatal',
  });
}
