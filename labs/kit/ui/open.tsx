/** Opens the UI on the terminal's alternate screen, and gives the terminal back as it was. */
import { render } from 'ink'
import { leaveScreen } from '../screen.ts'
import { App, type AppProps } from './app.tsx'

export async function openLab(props: AppProps): Promise<number> {
  try {
    const ui = render(<App {...props} />, { exitOnCtrlC: true })
    await ui.waitUntilExit()
  } finally {
    leaveScreen()
    await props.runner.close()
  }
  return 0
}
