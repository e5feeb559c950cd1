import { emptyProcessConfig } from '../../images/making/import-changes.ts';
import type { DiffId } from '../../oci/digest.ts';
import { type HistoryEntry, type ImageProcessConfig, MAX_CONFIG_BYTES } from '../../oci/image-config.ts';
import type { Platform } from '../../oci/platform.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { BaseImage, BuildStep } from './build-step.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const COMMENT = 'buildkit.dockerfile.v0';

/** What a stage has come to be: its files as a step, its image's configuration, the variables in force. */
export interface StageState {
  head: BuildStep | undefined;
  /** The image that it began with; undefined: scratch. */
  base: BaseImage | undefined;
  platform: Platform;
  author: string;
  /** Its environment and labels are this stage's own, to be changed in place. */
  config: ImageProcessConfig;
  /** Where in `config.env` a variable comes first. */
  envPlaces: Map<string, number>;
  baseHistory: readonly HistoryEntry[];
  baseDiffIds: readonly DiffId[];
  history: HistoryEntry[];
  /** UTF-16 units of the text in `history`. */
  historyLength: number;
  /** ARG and ENV, as a RUN sees them. */
  variables: Map<string, string>;
  /** Names of ARGs in their order. */
  args: string[];
  /** CMD was set by this stage or the ones it is built on. */
  hasCmd: boolean;
}

export function scratchState(platform: Platform): StageState {
  const config = { ...emptyProcessConfig(), env: [`PATH=${DEFAULT_PATH}`], workingDir: '/' };
  return freshState({ base: undefined, platform, config, author: '', history: [], diffIds: [] });
}

export function imageState(image: BaseImage, platform: Platform, head: BuildStep): StageState {
  const { config: process, author, history, diffIds } = image.config;
  const config = { ...process, env: withPath(process.env) };
  return { ...freshState({ base: image, platform, config, author: author ?? '', history, diffIds }), head };
}

function freshState(from: {
  base: BaseImage | undefined;
  platform: Platform;
  config: ImageProcessConfig;
  author: string;
  history: readonly HistoryEntry[];
  diffIds: readonly DiffId[];
}): StageState {
  return {
    head: undefined,
    base: from.base,
    platform: from.platform,
    author: from.author,
    ...ownConfig(from.config, from.config.env),
    baseHistory: from.history,
    baseDiffIds: from.diffIds,
    history: [],
    historyLength: 0,
    variables: new Map(from.config.env.map(splitVariable)),
    args: [],
    hasCmd: false,
  };
}

/** A stage `FROM` another one: ARGs stay in force, the image's ENV comes before them again. */
export function childState(parent: StageState): StageState {
  const variables = new Map(parent.variables);
  const { config, envPlaces } = ownConfig(parent.config, withPath(parent.config.env));
  for (const [name, value] of config.env.map(splitVariable)) variables.set(name, value);
  return {
    ...parent,
    config,
    envPlaces,
    variables,
    args: [...parent.args],
    history: [...parent.history],
    hasCmd: false,
  };
}

function ownConfig(
  config: ImageProcessConfig,
  env: readonly string[],
): Pick<StageState, 'config' | 'envPlaces'> {
  const envPlaces = new Map<string, number>();
  for (const [at, entry] of env.entries()) {
    const [name] = splitVariable(entry);
    if (!envPlaces.has(name)) envPlaces.set(name, at);
  }
  return { config: { ...config, env: [...env], labels: { ...config.labels } }, envPlaces };
}

function withPath(env: readonly string[]): string[] {
  return env.some((entry) => entry.startsWith('PATH=')) ? [...env] : [...env, `PATH=${DEFAULT_PATH}`];
}

export function splitVariable(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** What sets the image's configuration is told there too: its bound is that of all of it. @throws DockerfileError where no image could hold it. */
export function addHistory(state: StageState, text: string, { layer }: { layer: boolean }): void {
  state.historyLength += text.length;
  if (state.historyLength > MAX_CONFIG_BYTES)
    throw new DockerfileError(
      `Cannot build this image: its configuration would be larger than ${MAX_CONFIG_BYTES} bytes`,
    );
  state.history.push({
    created: undefined,
    createdBy: text,
    author: '',
    comment: COMMENT,
    emptyLayer: !layer,
  });
}
