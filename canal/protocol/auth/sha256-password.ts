import { type AuthContext, type AuthMethod, authMethodError } from './auth-method.ts';
import { encryptPassword } from './rsa-password.ts';

const REQUEST_PUBLIC_KEY = 1;

/**
 * sha256_password: the password itself over TLS, else encrypted with the server's key. Old, and yet needed: servers that do not
 * know a user ask for it (or another plugin, by chance) so as not to show that, and only then say "access denied".
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_authentication_256.html.
 */
export class Sha256Password implements AuthMethod {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  first(): Buffer {
    const { password, nonce, linkIsPrivate, serverPublicKey, mayFetchPublicKey } = this.#context;
    if (password === '') return Buffer.from([0]);
    if (linkIsPrivate) return Buffer.from(`${password}\0`, 'utf8');
    if (serverPublicKey !== null) return encryptPassword(password, nonce, serverPublicKey);
    if (!mayFetchPublicKey)
      throw authMethodError(
        'sha256_password wants the password, the link has no TLS, and a key fetched over it could be an impostor’s',
      );
    return Buffer.from([REQUEST_PUBLIC_KEY]);
  }

  more(data: Buffer): Buffer {
    return encryptPassword(this.#context.password, this.#context.nonce, data.toString('latin1'));
  }
}
