/** The tables of this room in `state.db`. Once shipped these statements are never edited: later steps are new arrays. */
export const imageMigrations: string[] = [
  `CREATE TABLE images (
     id TEXT PRIMARY KEY,
     media_type TEXT NOT NULL,
     size INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE image_manifests (
     image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
     digest TEXT NOT NULL,
     media_type TEXT NOT NULL,
     size INTEGER NOT NULL,
     PRIMARY KEY (image, digest)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE image_tags (
     reference TEXT PRIMARY KEY,
     image TEXT NOT NULL REFERENCES images(id),
     tagged_nano INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE layer_blobs (
     diff_id TEXT NOT NULL,
     blob TEXT NOT NULL,
     blob_size INTEGER NOT NULL,
     tar_size INTEGER NOT NULL,
     PRIMARY KEY (diff_id, blob)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE leases (
     id TEXT PRIMARY KEY,
     expires_ms INTEGER NOT NULL,
     boot_id TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE lease_roots (
     lease TEXT NOT NULL REFERENCES leases(id) ON DELETE CASCADE,
     kind TEXT NOT NULL,
     root TEXT NOT NULL,
     PRIMARY KEY (lease, kind, root)
   ) STRICT, WITHOUT ROWID`,
];

/** What came with moving images: where a blob can be mounted from, and what an image holds besides its platforms. */
export const imageTransferTables: string[] = [
  `CREATE TABLE blob_sources (
     blob TEXT NOT NULL,
     repository TEXT NOT NULL,
     PRIMARY KEY (blob, repository)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE image_extras (
     image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
     blob TEXT NOT NULL,
     PRIMARY KEY (image, blob)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE image_uses (
     image TEXT PRIMARY KEY REFERENCES images(id) ON DELETE CASCADE,
     used_ms INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID`,
];
