import { expect } from 'chai'
import { BatchedFile, type BatchedFileOptions } from '../../src/capture/batched-file.ts'
import { until } from '../support/loopback.ts'
import { FakeWriter } from './fake-writer.ts'

describe('a file that is written in batches', () => {
  let writer: FakeWriter
  let ends: string[]

  beforeEach(() => {
    writer = new FakeWriter()
    ends = []
  })

  const newFile = (options: Partial<BatchedFileOptions> = {}): BatchedFile =>
    new BatchedFile({ writer, maxLength: 1 << 30, maxWaiting: 1 << 20, onEnded: why => ends.push(why), ...options })

  it('writes many records at once, in their order, and soon without being asked', async () => {
    const file = newFile()
    for (const text of ['a', 'bc', 'd']) expect(file.append(Buffer.from(text))).to.equal(true)
    expect(file.append(Buffer.from('first'), { first: true })).to.equal(true)
    expect(writer.writes, 'nobody waits for the disk').to.equal(0)
    await until(() => writer.content.length > 0)
    expect(String(writer.content)).to.equal('firstabcd')
    expect(writer.writes).to.equal(1)
    await file.close()
    expect(writer.isClosed).to.equal(true)
  })

  it('writes what waits when it is closed, also when the disk takes it in pieces', async () => {
    writer.atOnce = 3
    const file = newFile()
    file.append(Buffer.from('0123456789'))
    await Promise.all([file.close(), file.close()])
    expect(String(writer.content)).to.equal('0123456789')
    expect(file.append(Buffer.from('late'))).to.equal(false)
  })

  it('leaves out and counts what comes while too much waits for a slow disk, and goes on behind it', async () => {
    writer.isSlow = true
    const file = newFile({ maxWaiting: 4 })
    expect(['aa', 'bb', 'cc'].map(text => file.append(Buffer.from(text)))).to.deep.equal([true, true, false])
    await until(() => writer.writes > 0)
    expect(file.append(Buffer.from('dd')), 'what the disk has not taken yet counts').to.equal(false)
    writer.goOn()
    await until(() => writer.content.length > 0)
    expect(file.append(Buffer.from('ee'))).to.equal(true)
    await file.close()
    expect([String(writer.content), file.leftOut, ends]).to.deep.equal(['aabbee', 2, []])
  })

  it('AT-08 ends behind the last whole record when the disk is full, and says so once', async () => {
    writer.room = 7
    const file = newFile()
    for (const text of ['aaa', 'bbb', 'ccc', 'ddd']) file.append(Buffer.from(text))
    await until(() => file.ended)
    expect(file.append(Buffer.from('eee'))).to.equal(false)
    await file.close()
    expect([String(writer.content), file.leftOut, ends]).to.deep.equal(['aaabbb', 3, ['the disk is full']])
  })

  it('AT-08 ends at its bound, and what was taken before is in it', async () => {
    const file = newFile({ length: 2, maxLength: 8 })
    expect(['aaa', 'bbb', 'c', 'd'].map(text => file.append(Buffer.from(text)))).to.deep.equal([
      true,
      true,
      false,
      false,
    ])
    await file.close()
    expect([String(writer.content), ends.length]).to.deep.equal(['aaabbb', 1])
  })
})
