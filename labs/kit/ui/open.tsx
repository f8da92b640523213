/** Opens the UI on the terminal's alternate screen, and gives the terminal back as it was. */
import { render } from 'ink'
import { cleanUpEverything } from '../cleanup.ts'
import { App, type AppProps } from './app.tsx'

const ENTER_SCREEN = '\x1b[?1049h\x1b[2J\x1b[H'
const LEAVE_SCREEN = '\x1b[?1049l'

export async function openLab(props: AppProps): Promise<number> {
  const leave = () => process.stdout.write(LEAVE_SCREEN)
  process.stdout.write(ENTER_SCREEN)
  process.once('exit', leave)
  try {
    const ui = render(<App {...props} />, { exitOnCtrlC: true, incrementalRendering: true })
    await ui.waitUntilExit()
  } finally {
    process.off('exit', leave)
    leave()
    await cleanUpEverything()
  }
  return 0
}
