/** The build cache's tables in `state.db`. Once shipped these statements are never edited: later steps are new arrays. */
export const buildCacheTables: string[] = [
  `CREATE TABLE build_records (
     id TEXT PRIMARY KEY,
     cache_key TEXT NOT NULL UNIQUE,
     kind TEXT NOT NULL,
     parent TEXT,
     chain TEXT,
     diff_id TEXT,
     blob TEXT,
     blob_type TEXT,
     blob_size INTEGER NOT NULL,
     size INTEGER NOT NULL,
     description TEXT NOT NULL,
     created_nano INTEGER NOT NULL,
     used_nano INTEGER NOT NULL,
     uses INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
];
