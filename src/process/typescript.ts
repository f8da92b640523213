/** Options of Node with which a process can load our sources, from whichever folder it is started. */
export const LOADS_TYPESCRIPT: readonly string[] = ['--import', new URL('./typescript.mjs', import.meta.url).href]
