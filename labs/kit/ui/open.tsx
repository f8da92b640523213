/** Opens the UI on the terminal's alternate screen, and gives the terminal back as it was. */
import { render } from 'ink'
import type { ReactElement } from 'react'
import { App, type AppProps } from './app.tsx'
import { keyByKey } from './key-reader.ts'
import { drawnByRows } from './row-writer.ts'
import { leaveScreen, suspendable } from './screen.ts'

export async function openLab(props: AppProps): Promise<number> {
  try {
    await inTerminal(<App {...props} />, () => props.runner.warmUp?.())
  } finally {
    await props.runner.close()
  }
  return 0
}

/** `drawn`: called when the first picture is there. Resolves when whoever sits in front of it has left. */
export async function inTerminal(picture: ReactElement, drawn?: () => void): Promise<void> {
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
    const ui = render(picture, options)
    // After the first picture: what is started then takes processor time that the picture needs.
    if (drawn) setTimeout(drawn, 20)
    await ui.waitUntilExit()
  } finally {
    process.stdout.off('resize', resized)
    stopping.close()
    leaveScreen()
  }
}
