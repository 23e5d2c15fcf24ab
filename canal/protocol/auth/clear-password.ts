import { type AuthContext, type AuthMethod, authMethodError } from './auth-method.ts';

/** mysql_clear_password: the password itself and a zero byte, therefore over TLS only (PAM and LDAP accounts need it). */
export class ClearPassword implements AuthMethod {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    if (!context.linkIsPrivate)
      throw authMethodError('the server asks for the password in clear text, and the link has no TLS');
    this.#context = context;
  }

  first(): Buffer {
    return Buffer.from(`${this.#context.password}\0`, 'utf8');
  }

  more(): null {
    return null;
  }
}
