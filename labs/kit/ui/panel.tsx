/** The lab's own panel inside of the kit's screens. */
import { Box, Text } from 'ink'
import { Component, type ReactNode, useEffect, useState } from 'react'
import type { Lab, Panel, PanelProps, Task } from '../lab/types.ts'

/** The panel of a task or of its lab, once it has been loaded. */
export function usePanel(lab: Lab, task: Task | undefined): Panel | undefined {
  const load = task?.panel ?? lab.panel
  const [loaded, setLoaded] = useState<{ load: typeof load; panel: Panel }>()
  useEffect(() => {
    let here = true
    load?.().then(panel => {
      if (here) setLoaded({ load, panel })
    })
    return () => {
      here = false
    }
  }, [load])
  return loaded?.load === load ? loaded?.panel : undefined
}

export function PanelView({ panel: Panel, ...props }: PanelProps & { panel: Panel }) {
  return (
    <Box
      flexDirection="column"
      height={Math.min(props.rows, Panel.lines(props).length)}
      flexShrink={0}
      overflow="hidden"
    >
      <Guard>
        <Panel {...props} />
      </Guard>
    </Box>
  )
}

/** A mistake in a lab's panel must not end the UI. */
class Guard extends Component<{ children: ReactNode }, { failure: string | undefined }> {
  override state: { failure: string | undefined } = { failure: undefined }

  static getDerivedStateFromError(error: unknown) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }

  override render(): ReactNode {
    return this.state.failure === undefined ? this.props.children : <Text>panel: {this.state.failure}</Text>
  }
}
