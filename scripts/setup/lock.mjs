import { spawn } from 'node:child_process';
import { join } from 'node:path';

/**
 * One setup at a time on this cache folder. The kernel holds the lock (`flock` of util-linux) for a child that lives
 * as long as the pipe to it is open: whatever ends this process also ends the lock, so that none can go stale.
 * @param {string} dir the cache folder
 * @param {(text: string) => void} say called once when another process holds the lock
 * @returns {Promise<() => Promise<void>>} releases
 */
export function takeLock(dir, say) {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', [join(dir, 'setup.lock'), 'sh', '-c', 'echo held; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true, // Ctrl-C reaches the setup alone; the holder follows when the pipe closes
    });
    const waiting = setTimeout(() => say('another setup is at work; waiting for it to finish'), 1_000);
    const ended = new Promise((done) => holder.once('exit', done));
    holder.once('error', (error) => {
      clearTimeout(waiting);
      reject(new Error(`the setup lock needs "flock" (Debian package util-linux): ${error.message}`));
    });
    holder.once('exit', (code) => {
      clearTimeout(waiting);
      reject(new Error(`the setup lock ended early (flock exit ${code})`));
    });
    holder.stdin.on('error', () => {});
    holder.stdout.once('data', () => {
      clearTimeout(waiting);
      resolve(async () => {
        holder.stdin.end();
        await ended;
      });
    });
  });
}
