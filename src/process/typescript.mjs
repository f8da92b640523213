/**
 * Makes TypeScript loadable in this thread: `--import` of this file, or an `import` before that of any TypeScript.
 *
 * Plain JavaScript, as are the hooks: nothing else can be loaded before.
 */
import { register } from 'node:module'

// So that stacks name lines of the source.
process.setSourceMapsEnabled(true)
register('./typescript-hooks.mjs', import.meta.url)
