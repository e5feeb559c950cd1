export function isStaticProgram(path: string): boolean;
