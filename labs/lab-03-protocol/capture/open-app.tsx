/** The terminal UI of a capture, from its start to its end. */
import { inTerminal } from '../../kit/ui/open.tsx'
import { enterScreen } from '../../kit/ui/screen.ts'
import { CaptureApp, type CaptureAppProps } from './app.tsx'

export async function openCaptureApp(props: CaptureAppProps): Promise<void> {
  enterScreen('Lab 3')
  await inTerminal(<CaptureApp {...props} />)
}
