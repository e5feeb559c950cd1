import { emptyProcessConfig } from '../../images/import-changes.ts';
import type { DiffId } from '../../oci/digest.ts';
import type { HistoryEntry, ImageProcessConfig } from '../../oci/image-config.ts';
import type { Platform } from '../../oci/platform.ts';
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
  config: ImageProcessConfig;
  baseHistory: readonly HistoryEntry[];
  baseDiffIds: readonly DiffId[];
  history: HistoryEntry[];
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
    config: from.config,
    baseHistory: from.history,
    baseDiffIds: from.diffIds,
    history: [],
    variables: new Map(from.config.env.map(splitVariable)),
    args: [],
    hasCmd: false,
  };
}

/** A stage `FROM` another one: ARGs stay in force, the image's ENV comes before them again. */
export function childState(parent: StageState): StageState {
  const variables = new Map(parent.variables);
  const config = { ...parent.config, env: withPath(parent.config.env) };
  for (const [name, value] of config.env.map(splitVariable)) variables.set(name, value);
  return {
    ...parent,
    config,
    variables,
    args: [...parent.args],
    history: [...parent.history],
    hasCmd: false,
  };
}

function withPath(env: readonly string[]): string[] {
  return env.some((entry) => entry.startsWith('PATH=')) ? [...env] : [...env, `PATH=${DEFAULT_PATH}`];
}

export function splitVariable(entry: string): [string, string] {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
}

export function addHistory(state: StageState, text: string, { layer }: { layer: boolean }): void {
  state.history.push({
    created: undefined,
    createdBy: text,
    author: '',
    comment: COMMENT,
    emptyLayer: !layer,
  });
}
