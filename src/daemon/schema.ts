import { buildCacheTables } from '../builder/solver/cache-schema.ts';
import { containerTables } from '../containers/record/container-store.ts';
import { eventTables } from '../events/event-bus.ts';
import { imageMigrations, imageTransferTables } from '../images/store/image-schema.ts';
import { networkTables } from '../network/network-store.ts';
import type { Migration } from '../storage/state-db.ts';
import { volumeDetailColumns, volumeTables } from '../volumes/volume-rows.ts';

/** The steps of `state.db`, oldest first. A step that has shipped is never edited; what changes later is a new step. */
export const migrations: Migration[] = [
  {
    version: 1,
    name: 'images, containers, events',
    statements: [...imageMigrations, ...containerTables, ...eventTables],
  },
  { version: 2, name: 'volumes', statements: volumeTables },
  { version: 3, name: 'blob sources, image extras', statements: imageTransferTables },
  { version: 4, name: 'build cache', statements: buildCacheTables },
  { version: 5, name: 'labels, options, owners of volumes', statements: volumeDetailColumns },
  { version: 6, name: 'networks', statements: networkTables },
];
