/** One JavaScript file of what runs inside User Mode Linux, where translating TypeScript takes the better part of a minute. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Writes inside.mjs into the folder, and returns its path. */
export async function bundleInside(folder: string): Promise<string> {
  const outfile = join(folder, 'inside.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('inside.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    // Files beside the sources are found by `../../netem/…`: two folders below the top of the repository, wherever the bundle is.
    define: { 'import.meta.url': JSON.stringify(import.meta.url) },
  })
  return outfile
}
