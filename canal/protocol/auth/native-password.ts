import { createHash } from 'node:crypto';
import type { AuthContext, AuthMethod } from './auth-method.ts';

/**
 * mysql_native_password: `sha1(password) xor sha1(nonce + sha1(sha1(password)))`; nothing for an empty password.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html.
 */
export class NativePassword implements AuthMethod {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  first(): Buffer {
    const { password, nonce } = this.#context;
    if (password === '') return Buffer.alloc(0);
    const once = sha1(Buffer.from(password, 'utf8'));
    const mask = sha1(Buffer.concat([nonce.subarray(0, 20), sha1(once)]));
    return Buffer.from(once.map((byte, index) => byte ^ (mask[index] ?? 0)));
  }

  more(): null {
    return null;
  }
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest();
}
