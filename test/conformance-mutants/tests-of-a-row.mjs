/**
 * Runs the tests of one row, in a scratch copy whose TypeScript has been translated already: node tests-of-a-row.mjs MILLISECONDS ID FILE...
 * Translating everything anew for each of some four hundred mutants would take most of the time.
 */
import { register } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import Mocha from 'mocha'

register('./translated.mjs', import.meta.url)

const [limitMs, id, ...files] = process.argv.slice(2)
// `bail`: one test that fails is enough.
const mocha = new Mocha({ timeout: Number(limitMs), bail: true, grep: id, reporter: 'spec', color: false })
// Makes `describe` and `it` global. Mocha would load the files by `require`, which asks no hooks.
mocha.suite.emit('pre-require', globalThis, '', mocha)
for (const file of ['test/support/all-tests.ts', ...files]) await import(pathToFileURL(resolve(file)).href)
// A mutant may leave a socket open.
mocha.run(failures => process.exit(failures === 0 ? 0 : 1))
