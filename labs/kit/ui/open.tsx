/** Opens the UI on the terminal's alternate screen, and gives the terminal back as it was. */
import { render } from 'ink'
import { App, type AppProps } from './app.tsx'
import { keyByKey } from './key-reader.ts'
import { drawnByRows } from './row-writer.ts'
import { leaveScreen, suspendable } from './screen.ts'

export async function openLab(props: AppProps): Promise<number> {
  const { stdout, writer } = drawnByRows(process.stdout)
  const stopping = suspendable(() => writer.again())
  const resized = () => writer.forget()
  process.stdout.on('resize', resized)
  try {
    // `debug`: whole pictures instead of Ink's own erasing and drawing, see row-writer.ts.
    const options = {
      stdout,
      stdin: keyByKey(process.stdin, stopping.suspend),
      debug: true,
      exitOnCtrlC: true,
      patchConsole: false,
    }
    const ui = render(<App {...props} />, options)
    // After the first picture: the worker's start takes processor time that the picture needs.
    setTimeout(() => props.runner.warmUp?.(), 20)
    await ui.waitUntilExit()
  } finally {
    process.stdout.off('resize', resized)
    stopping.close()
    leaveScreen()
    await props.runner.close()
  }
  return 0
}
