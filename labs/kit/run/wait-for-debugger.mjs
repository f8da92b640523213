// Loaded by a replay (`--import`) before its program. Not `--inspect-brk`, which waits before anything at all is loaded: also before that which
// ends the process with its parent.
import { waitForDebugger } from 'node:inspector'

waitForDebugger()
