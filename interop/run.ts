// `npm run test:interop`: our client and our server against an implementation that no one here wrote.
// The last line of output is `N passed, N failed` or `N passed, N failed, N skipped`.
import { readdir } from 'node:fs/promises'
import Mocha from 'mocha'
import { buildGoPrograms, reasonToSkip } from './harness/go-programs.ts'

const TESTS = new URL('test/', import.meta.url)
const TEST_TIMEOUT_MS = 20_000

// How long after the last test a socket or timer may still keep the process alive.
const LINGER_MS = 5000

process.exitCode = await run()
setTimeout(() => {
  console.error(`test:interop: something is left open after the last test: ${process.getActiveResourcesInfo()}`)
  process.exit(1)
}, LINGER_MS).unref()

async function run(): Promise<number> {
  const reason = await reasonToSkip()
  if (reason !== undefined) {
    console.log(`test:interop skipped: ${reason}`)
    console.log('0 passed, 0 failed, 1 skipped')
    return 0
  }
  try {
    await buildGoPrograms()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(
      'test:interop needs the Go modules in interop/connect-ip-go/go.sum: is the Go module proxy reachable?',
    )
    console.log('0 passed, 1 failed')
    return 1
  }

  const mocha = new Mocha({ reporter: 'spec', timeout: TEST_TIMEOUT_MS })
  const files = (await readdir(TESTS)).filter(name => name.endsWith('.interop.ts')).sort()
  // This is what defines describe, it and the rest. Mocha's own loader would `require` the files first, which by-passes tsx.
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, '', mocha)
  try {
    for (const name of files) await import(new URL(name, TESTS).href)
  } catch (error) {
    console.error(error)
    console.log('0 passed, 1 failed')
    return 1
  }
  const { passes, failures, pending } = await new Promise<Mocha.Stats>(resolve => {
    const runner = mocha.run(() => resolve(runner.stats as Mocha.Stats))
  })
  console.log(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`)
  return failures > 0 ? 1 : 0
}
