// SPDX-License-Identifier: Apache-2.0
//
//     node try.mjs http://127.0.0.1:50051 QUEUE COUNT
//
// Enqueues COUNT messages, works half of them without a stream and a quarter with one, leaves the others,
// and says so: a trial of docs/wire.md.

import assert from 'node:assert/strict'
import { Client, GodwitError } from './godwit.mjs'

const [url, queue, total] = [process.argv[2], process.argv[3], Number(process.argv[4])]
const client = new Client(url, { token: process.env.GODWIT_TOKEN, patience: 10_000 })

const messages = Array.from({ length: total }, (_, n) => ({ kind: 'node.square', payload: { n, text: 'Åse' } }))
const enqueued = await client.enqueue(queue, messages)
assert.equal(enqueued.length, total)
assert.ok(enqueued.every((it) => it.outcome === 'enqueued'))

// The same ids again add nothing.
const again = await client.enqueue(queue, [{ ...messages[0], id: enqueued[0].id }])
assert.equal(again[0].outcome, 'known')

const half = Math.floor(total / 2)
const seen = new Set()
let first
while (seen.size < half) {
  const jobs = await client.reserve(queue, ['node.square'], { count: Math.min(16, half - seen.size) })
  for (const job of jobs) {
    assert.equal(job.kind, 'node.square')
    assert.equal(job.contentType, 'application/json')
    const { n, text } = JSON.parse(job.payload)
    assert.equal(text, 'Åse')
    seen.add(n)
    first ??= job
  }
  assert.ok((await client.renew(queue, jobs.map((it) => it.token))).every((it) => it === 'done'))
  const outcomes = await client.settle(queue, jobs.map((it) => ({ token: it.token, ack: true })))
  assert.ok(outcomes.every((it) => it === 'done'), `${outcomes}`)
}
assert.deepEqual(await client.settle(queue, [{ token: first.token, ack: true }]), ['done'])
assert.deepEqual(await client.settle(queue, [{ token: first.token, reject: 'no' }]), ['stale'])
assert.deepEqual(await client.reserve(queue, ['other.kind'], { wait: 0 }), [])

const rest = Math.floor(total / 4)
const streamed = new Set()
let failed = false
await client.work(queue, {
  'node.square': async (job) => {
    const { n } = JSON.parse(job.payload)
    if (!failed) {
      failed = true
      throw new Error('once') // It comes again, or stays for the next one.
    }
    await new Promise((go) => setTimeout(go, 5))
    assert.ok(!seen.has(n) && !streamed.has(n))
    streamed.add(n)
  },
}, { concurrency: 4, lease: 3000, until: () => streamed.size >= rest })

await assert.rejects(client.enqueue('no name', messages), (error) => {
  assert.ok(error instanceof GodwitError)
  return ['INVALID_ARGUMENT', 'PERMISSION_DENIED'].includes(error.status)
})
client.close()
const worked = seen.size + streamed.size
assert.ok(streamed.size >= rest && streamed.size < rest + 4)
console.log(`enqueued ${total}, worked ${worked}, left ${total - worked}`)
