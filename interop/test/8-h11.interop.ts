import { clientSuite, proxySuite } from '../harness/case-suite.ts'
import { pythonProgram } from '../harness/python.ts'

const program = pythonProgram('h11')
const cases = await program.list()

clientSuite('h11, a client of our proxy', program, cases)
proxySuite('h11, a proxy of our client', program, cases)
