import { type AuthContext, type AuthMethod, authMethodError } from './auth-method.ts';
import { CachingSha2Password } from './caching-sha2-password.ts';
import { ClearPassword } from './clear-password.ts';
import { Ed25519Password } from './ed25519-password.ts';
import { NativePassword } from './native-password.ts';
import { Sha256Password } from './sha256-password.ts';

/** @throws HOLT_SOURCE_AUTH_METHOD for a plugin that Holt does not have, or that is not safe on this link. */
export function authMethod(plugin: string, context: AuthContext): AuthMethod {
  switch (plugin) {
    case 'mysql_native_password':
      return new NativePassword(context);
    case 'caching_sha2_password':
      return new CachingSha2Password(context);
    case 'sha256_password':
      return new Sha256Password(context);
    case 'mysql_clear_password':
      return new ClearPassword(context);
    case 'client_ed25519':
      return new Ed25519Password(context);
    default:
      throw authMethodError(`the server asks for the login plugin ${JSON.stringify(plugin)}`);
  }
}
