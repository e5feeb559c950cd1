import { describeRuntime } from '../testing/conformance.ts';
import { openRealSubject } from '../testing/real-subject.ts';

describeRuntime('conmon and crun', () => openRealSubject('crun'));
describeRuntime('conmon and crun, once tried', () => openRealSubject('crun', { proven: true }));
describeRuntime('conmon and runc', () => openRealSubject('runc'));
