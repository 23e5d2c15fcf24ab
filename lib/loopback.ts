/** True for names and addresses that lead to this machine only. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    /^127\.(?:[0-9]{1,3}\.){2}[0-9]{1,3}$/.test(host)
  );
}
