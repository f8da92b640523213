/** Opens the UI on the terminal's alternate screen, and gives the terminal back as it was. */
import { render } from 'ink'
import { leaveScreen } from '../screen.ts'
import { App, type AppProps } from './app.tsx'

export async function openLab(props: AppProps): Promise<number> {
  try {
    // Only the rows that have changed are written, all of them at once: nothing flickers.
    const ui = render(<App {...props} />, { exitOnCtrlC: true, incrementalRendering: true })
    // After the first picture: the worker's start takes processor time that the picture needs.
    setTimeout(() => props.runner.warmUp?.(), 20)
    await ui.waitUntilExit()
  } finally {
    leaveScreen()
    await props.runner.close()
  }
  return 0
}
