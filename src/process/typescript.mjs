/**
 * Makes TypeScript loadable in this thread: `--import` of this file, or an `import` before that of any TypeScript.
 *
 * Plain JavaScript, as are the hooks: nothing else can be loaded before.
 */
import * as modules from 'node:module'
import { loadSync } from './typescript-hooks.mjs'

// So that stacks name lines of the source.
process.setSourceMapsEnabled(true)
// Since Node 22.15 hooks run in the thread that loads. Before, they have one of their own.
if (modules.registerHooks !== undefined) modules.registerHooks({ load: loadSync })
else modules.register('./typescript-hooks.mjs', import.meta.url)
