/** One JavaScript file of what runs inside User Mode Linux, where translating TypeScript takes the better part of a minute. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

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
    plugins: [asWritten],
  })
  return outfile
}

/** Wherever the bundle is, files beside the sources are found as the sources say. */
const asWritten: Plugin = {
  name: 'as-written',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
      loader: 'ts',
    }))
  },
}
