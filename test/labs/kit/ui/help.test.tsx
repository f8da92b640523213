import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { bodyRows } from '../../../../labs/kit/ui/geometry.ts'
import { Help } from '../../../../labs/kit/ui/help.tsx'
import { themeFor } from '../../../../labs/kit/ui/theme.ts'

describe('the list of keys', () => {
  it('is whole on a terminal of 80 columns and 24 rows', () => {
    const size = { columns: 80, rows: 24 }
    const { lastFrame, unmount } = render(<Help theme={themeFor({ LANG: 'C' })} size={size} />)
    const lines = (lastFrame() ?? '').split('\n')
    unmount()
    expect(lines.at(-1)).to.include('npm run lab -- --help')
    expect(lines.length).to.be.at.most(bodyRows(size))
    expect(lines.some(line => /(^|\W)g +.*windows/.test(line))).to.equal(true)
  })
})
