import type { SqlValue, Statement } from '../storage/state-db.ts';
import type { VolumeOptions } from './volume-options.ts';
import type { Volume } from './volumes.ts';

/** The tables of this room, as the steps of a migration. */
export const volumeTables = [
  `CREATE TABLE volumes (
     name TEXT PRIMARY KEY,
     driver TEXT NOT NULL,
     anonymous INTEGER NOT NULL,
     created_nano INTEGER NOT NULL
   ) STRICT`,
];

/** The next step: `labels` and `options` are JSON objects, `owner` is `uid:gid`. NULL: none. */
export const volumeDetailColumns = [
  'ALTER TABLE volumes ADD COLUMN labels TEXT',
  'ALTER TABLE volumes ADD COLUMN options TEXT',
  'ALTER TABLE volumes ADD COLUMN owner TEXT',
  'ALTER TABLE volumes ADD COLUMN mode INTEGER',
];

export interface VolumeRow {
  name: string;
  anonymous: number;
  created_nano: number | bigint;
  labels: string | null;
  options: string | null;
  owner: string | null;
  mode: number | null;
}

export const SELECT_VOLUMES =
  'SELECT name, anonymous, created_nano, labels, options, owner, mode FROM volumes';

export function insertVolume(volume: Volume): Statement {
  const { name, anonymous, createdNano, labels, options, owner, mode } = volume;
  const json = (map: VolumeOptions | undefined): SqlValue => (map === undefined ? null : JSON.stringify(map));
  return {
    sql: `INSERT INTO volumes (name, driver, anonymous, created_nano, labels, options, owner, mode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    params: [
      name,
      'local',
      anonymous ? 1 : 0,
      createdNano,
      json(labels),
      json(options),
      owner === undefined ? null : `${owner.uid}:${owner.gid}`,
      mode ?? null,
    ],
  };
}

export function volumeOf(row: VolumeRow, path: string): Volume {
  const { name, anonymous, created_nano: createdNano, labels, options, owner, mode } = row;
  const map = (json: string | null) =>
    json === null ? undefined : (JSON.parse(json) as Record<string, string>);
  const [uid = 0, gid = 0] = (owner ?? '').split(':').map(Number);
  return {
    name,
    path,
    createdNano: BigInt(createdNano),
    anonymous: anonymous === 1,
    labels: map(labels),
    options: map(options),
    owner: owner === null ? undefined : { uid, gid },
    mode: mode ?? undefined,
  };
}
