import { readFileSync } from 'node:fs';

/** Whether anything is mounted on what lies below the directory `path` (absolute, without links), as this process sees it. */
export function hasMountBelow(
  path: string,
  mountinfo = readFileSync('/proc/self/mountinfo', 'latin1'),
): boolean {
  const prefix = Buffer.from(path === '/' ? '/' : `${path}/`).toString('latin1');
  return mountinfo.split('\n').some((line) => {
    const point = line.split(' ')[4];
    if (point === undefined) return false;
    const place = point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return place.length > prefix.length && place.startsWith(prefix);
  });
}
