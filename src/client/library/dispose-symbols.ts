// Node 18 before 18.18 hasn't got them; what `await using` compiles to looks for these very names.
for (const name of ['dispose', 'asyncDispose'] as const)
  if (Symbol[name] === undefined) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });
