import { describeCore } from '../../support/engine/core.ts';

describeCore('core on runc', { runtime: 'runc' });
