/** Linux's capabilities, as `--cap-add` takes them. */
export const CAPABILITIES = [
  'ALL',
  ...(
    'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
    'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
    'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
    'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
  )
    .split(' ')
    .map((name) => `CAP_${name}`),
];

const REAL_TIME = Array.from({ length: 15 }, (_, index) => index + 1);

/** Signals without their SIG; the real-time ones count from either end. */
export const SIGNALS = [
  ...(
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP ' +
    'TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN'
  ).split(' '),
  ...REAL_TIME.map((number) => `RTMIN+${number}`),
  ...REAL_TIME.slice(0, -1).map((number) => `RTMAX-${number}`),
  'RTMAX',
];

export const PLATFORMS = [
  ...'386 amd64 arm arm/v5 arm/v6 arm/v7 arm64 arm64/v8 ppc64le s390x riscv64'
    .split(' ')
    .map((name) => `linux/${name}`),
  'windows/amd64',
  'wasip1/wasm',
];

export const ULIMITS =
  'as chroot core cpu data fsize locks maxlogins maxsyslogins memlock msgqueue nice nofile nproc priority rss rtprio sigpending stack'
    .split(' ')
    .map((name) => `${name}=`);

export const LOG_OPTIONS =
  'compress env env-regex labels labels-regex max-buffer-size max-file max-size mode syslog-address syslog-facility syslog-format tag'
    .split(' ')
    .map((name) => `${name}=`);

/** The keys of `events --filter`. */
export const EVENT_FILTERS = 'container daemon event image label network node scope type volume'
  .split(' ')
  .map((name) => `${name}=`);

export const EVENT_TYPES = ['builder', 'container', 'daemon', 'image', 'network', 'volume'];

export const RESTART_POLICIES = ['no', 'always', 'on-failure', 'unless-stopped'];
