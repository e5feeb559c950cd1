/**
 * A node: `d 755 0:0 path`, `f 644 1:2 path content`, `l path target`, `h path target` (hard link). Parents first.
 */
export type NodeLine = string;

/** One COPY or ADD of a tree onto another, for both Docker and us. */
export interface CopyCase {
  name: string;
  command?: 'COPY' | 'ADD';
  /** What the image has before. */
  parent: readonly NodeLine[];
  /** The context's files, or with `from` those of another stage. */
  files: readonly NodeLine[];
  from?: boolean;
  /** Archives in the context: by name, their members. */
  archives?: Readonly<Record<string, readonly NodeLine[]>>;
  flags?: {
    chown?: string;
    chmod?: string;
    parents?: boolean;
    link?: boolean;
    exclude?: readonly string[];
    unpack?: boolean;
  };
  sources: readonly string[];
  destination: string;
  workdir?: string;
}
