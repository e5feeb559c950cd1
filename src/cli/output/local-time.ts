/** `2026-11-23 23:31:56 +0000 UTC`: a unix time as Go prints it, in the local zone. */
export function localTime(seconds: number): string {
  return `${localStamp(seconds)} ${zone(seconds)}`;
}

function localStamp(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} ${offset(at, '')}`;
}

/** `2026-11-23T23:31:56Z`, or with the local offset. */
export function localRfc3339(seconds: number): string {
  const at = new Date(seconds * 1000);
  const zoneText = at.getTimezoneOffset() === 0 ? 'Z' : offset(at, ':');
  return `${localStamp(seconds).slice(0, 19).replace(' ', 'T')}${zoneText}`;
}

/** `2026-11-23T23:31:56.123456789+01:00`: nanoseconds since 1970, all nine digits, in the local zone. */
export function localRfc3339Nano(nano: bigint): string {
  const seconds = Number(nano / 1_000_000_000n);
  const at = new Date(seconds * 1000);
  const fraction = (nano % 1_000_000_000n).toString().padStart(9, '0');
  return `${localStamp(seconds).slice(0, 19).replace(' ', 'T')}.${fraction}${at.getTimezoneOffset() === 0 ? 'Z' : offset(at, ':')}`;
}

/** `2026-11-23 23:31:56.123456789 +0000 UTC`: an RFC 3339 time in UTC as Go prints it, trailing zeros left out. */
export function goTime(text: string): string {
  const fraction = /\.(\d+)/.exec(text)?.[1]?.replace(/0+$/, '') ?? '';
  const seconds = new Date(text).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`} +0000 UTC`;
}

function offset(at: Date, separator: string): string {
  const minutes = -at.getTimezoneOffset();
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(absolute / 60))}${separator}${two(absolute % 60)}`;
}

function zone(seconds: number): string {
  const at = new Date(seconds * 1000);
  if (at.getTimezoneOffset() === 0) return 'UTC';
  const name = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
    .formatToParts(at)
    .find((part) => part.type === 'timeZoneName')?.value;
  return name === undefined || name.startsWith('GMT') ? offset(at, '').replace(/00$/, '') : name;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
