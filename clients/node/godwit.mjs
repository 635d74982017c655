// SPDX-License-Identifier: Apache-2.0
//
// A client for Godwit in plain Node.js, without a package: HTTP/2 of the standard library and protobuf by
// hand. Written from docs/wire.md alone, to try that page: producing, and working with and without a stream.

import { randomBytes } from 'node:crypto'
import http2 from 'node:http2'

// Protobuf (https://protobuf.dev/programming-guides/encoding)

const varint = (value) => {
  const bytes = []
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return Buffer.from([...bytes, Number(rest)])
}

/** A field: text, bytes and messages (Buffers) by their length, numbers as varints; nothing for undefined. */
const field = (number, value) => {
  if (value === undefined) return Buffer.alloc(0)
  if (Array.isArray(value)) return Buffer.concat(value.map((it) => field(number, it)))
  if (typeof value === 'number' || typeof value === 'boolean') {
    return Buffer.concat([varint(number << 3), varint(Number(value))])
  }
  const bytes = Buffer.from(value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

const message = (fields) =>
  Buffer.concat(Object.entries(fields).map(([number, value]) => field(Number(number), value)))

/** The fields of a message: number → values in their order; numbers as BigInt, the rest as Buffer. */
const read = (bytes) => {
  const fields = new Map()
  let at = 0
  const readVarint = () => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) break
      const byte = bytes[at++]
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new Error('the answer is not protobuf: a number does not end')
  }
  const take = (length) => {
    if (at + length > bytes.length) throw new Error('the answer is not protobuf: it is cut off')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const key = Number(readVarint())
    const [number, type] = [key >>> 3, key & 7]
    let value
    if (type === 0) value = readVarint()
    else if (type === 1) value = take(8).readBigUInt64LE()
    else if (type === 2) value = take(Number(readVarint()))
    else if (type === 5) value = BigInt(take(4).readUInt32LE())
    else throw new Error(`the answer is not protobuf: type ${type}`)
    fields.set(number, [...(fields.get(number) ?? []), value])
  }
  const one = (number) => fields.get(number)?.at(-1)
  return {
    all: (number) => fields.get(number) ?? [],
    bytes: (number) => one(number) ?? Buffer.alloc(0),
    text: (number) => (one(number) ?? '').toString(),
    number: (number) => Number(one(number) ?? 0n),
    /** Repeated numbers, packed or not. */
    numbers: (number) =>
      (fields.get(number) ?? []).flatMap((it) => {
        if (typeof it === 'bigint') return [Number(it)]
        const values = []
        for (let place = 0; place < it.length; ) {
          let value = 0
          let shift = 0
          do {
            value += (it[place] & 0x7f) * 2 ** shift
            shift += 7
          } while (it[place++] >= 0x80 && place < it.length)
          values.push(value)
        }
        return values
      }),
  }
}

// Ids

let last = 0n

/** A UUID of version 7; those of one process rise. */
export const newID = () => {
  const fresh = BigInt(Date.now()) << 12n
  last = fresh > last ? fresh : last + 1n
  const id = randomBytes(16)
  id.writeUIntBE(Number(last >> 12n), 0, 6)
  id.writeUInt16BE(0x7000 | Number(last & 0xfffn), 6)
  id[8] = (id[8] & 0x3f) | 0x80
  return id
}

// Calls

const STATUS = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS',
  'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE',
  'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED',
]
const UNCERTAIN = ['CANCELLED', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'ABORTED', 'INTERNAL', 'UNAVAILABLE']

export class GodwitError extends Error {
  constructor(status, trailers) {
    const fact = (name) => decodeURIComponent(trailers[`godwit-${name}`] ?? '')
    const cause = fact('cause') || decodeURIComponent(trailers['grpc-message'] ?? status)
    super([fact('what'), cause, fact('advice')].filter((it) => it).join(': '))
    this.status = status
    this.reason = fact('reason')
    /** It may or may not have happened: say it again, with the same ids. */
    this.isUncertain = this.reason === 'unknown' || (!this.reason && UNCERTAIN.includes(status))
    this.mayPass = this.isUncertain || this.reason === 'unavailable'
  }
}

const OUTCOMES = ['unspecified', 'done', 'stale', 'targetBusy', 'unknown']
const ENQUEUED = ['unspecified', 'enqueued', 'known', 'unknown', 'duplicate', 'full']

const settlement = ({ token, retry, reject, release }) =>
  message({
    1: token,
    2: retry ? message({ 2: message({ 1: retry.after, 2: retry.reason }) })
      : reject !== undefined ? message({ 3: message({ 1: reject }) })
      : release ? message({ 4: message({}) })
      : message({ 1: message({}) }),
  })

const delivered = (bytes) => {
  const delivery = read(bytes)
  const told = read(delivery.bytes(2))
  const content = read(told.bytes(3))
  return {
    token: delivery.bytes(1), id: told.bytes(1), kind: told.text(2), contentType: content.text(1),
    payload: content.bytes(3), attempt: told.number(4), count: told.number(6),
  }
}

const framed = (request) => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(request.length, 1)
  return Buffer.concat([head, request])
}

/** The failure of a stream that closed, by its trailers; undefined for OK. */
const failure = (trailers, cause) => {
  const status = STATUS[trailers['grpc-status'] ?? 14] ?? 'UNKNOWN'
  if (status === 'OK') return undefined
  return new GodwitError(status, cause && !trailers['grpc-status'] ? { 'godwit-cause': encodeURIComponent(cause) } : trailers)
}

const pause = (time) => new Promise((go) => setTimeout(go, time * (0.5 + Math.random() / 2)))

export class Client {
  /** `url`: http://127.0.0.1:50051, or https://… with `ca` in the options of node:tls. */
  constructor(url, { token, patience = 30_000, ...tls } = {}) {
    Object.assign(this, { url, token, patience, tls })
  }

  close() {
    this.session?.close()
  }

  #connected() {
    if (!this.session || this.session.closed || this.session.destroyed) {
      this.session = http2.connect(this.url, this.tls)
      this.session.on('error', () => {}) // Its streams say it too.
      this.session.on('goaway', () => this.session.close())
    }
    return this.session
  }

  /** Opens a call; `onMessage` gets each answer, `onEnd` the failure, or nothing for OK. */
  #open(method, timeout, onMessage, onEnd) {
    const stream = this.#connected().request({
      ':method': 'POST', ':path': `/godwit.v1.Queue/${method}`, te: 'trailers',
      'content-type': 'application/grpc', ...(timeout && { 'grpc-timeout': `${timeout}S` }),
      ...(this.token && { authorization: `Bearer ${this.token}` }),
    })
    let [trailers, cause, rest] = [{}, '', Buffer.alloc(0)]
    stream.on('response', (headers) => (trailers = headers))
    stream.on('trailers', (headers) => (trailers = headers))
    stream.on('error', (error) => (cause = error.message))
    stream.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1)
        onMessage(read(rest.subarray(5, end)))
        rest = rest.subarray(end)
      }
    })
    // The server may end a stream whose other half is still open here.
    stream.on('end', () => stream.close())
    stream.on('close', () => onEnd(failure(trailers, cause)))
    return stream
  }

  #once(method, request, seconds) {
    return new Promise((resolve, reject) => {
      let answer
      const stream = this.#open(method, seconds, (it) => (answer = it), (error) => {
        if (error) reject(error)
        else if (answer) resolve(answer)
        else reject(new GodwitError('INTERNAL', {}))
      })
      stream.setTimeout(seconds * 1000, () => stream.close(http2.constants.NGHTTP2_CANCEL))
      stream.end(framed(request))
    })
  }

  /** Calls until there is an answer or an error that stays. `request` is made anew for each try. */
  async #call(method, request, seconds = 10) {
    const end = Date.now() + this.patience
    for (let wait = 50, tries = 0; ; wait = Math.min(2000, wait * 2), tries++) {
      try {
        return await this.#once(method, request(tries > 0), seconds)
      } catch (error) {
        if (!error.mayPass || Date.now() + wait > end) throw error
      }
      await pause(wait)
    }
  }

  /** Accepts messages `{kind, payload, headers, delay, uniqueKey, id}`; says `{id, outcome}` of each. */
  async enqueue(queue, messages) {
    const given = messages.map((it) => ({ ...it, id: it.id ?? newID(), mayBeThere: it.id !== undefined }))
    const answer = await this.#call('Enqueue', (isResend) =>
      message({
        1: queue,
        2: given.map((it) =>
          message({
            1: it.id,
            2: it.kind,
            3: message({
              1: 'application/json',
              2: Object.entries(it.headers ?? {}).map(([name, value]) => message({ 1: name, 2: value })),
              3: JSON.stringify(it.payload ?? null),
            }),
            7: it.uniqueKey,
            8: it.delay,
            10: isResend || it.mayBeThere || undefined,
          }),
        ),
      }),
    )
    return answer.all(1).map((it, place) => ({
      id: given[place].id, outcome: ENQUEUED[read(it).number(1)] ?? 'unspecified',
    }))
  }

  /** Waits up to `wait` ms for messages of these kinds; each has `token`, `id`, `kind`, `payload`. */
  async reserve(queue, kinds, { count = 1, lease = 30_000, wait = 20_000 } = {}) {
    const request = message({
      1: queue, 2: count, 3: lease, 4: message({ 1: kinds }), 9: wait,
    })
    const answer = await this.#call('Reserve', () => request, Math.ceil(wait / 1000) + 10)
    return answer.all(1).map(delivered)
  }

  /** `settlements`: `{token, ack: true}`, `{token, retry: {after, reason}}`, `{token, reject: reason}`. */
  async settle(queue, settlements) {
    const request = message({
      1: queue,
      2: settlements.map(settlement),
    })
    const answer = await this.#call('Settle', () => request)
    return answer.numbers(1).map((it) => OUTCOMES[it] ?? 'unknown')
  }

  async renew(queue, tokens, lease = 30_000) {
    const request = message({ 1: queue, 2: tokens, 3: lease })
    return (await this.#call('Renew', () => request)).numbers(1).map((it) => OUTCOMES[it] ?? 'unknown')
  }

  /** Takes back what dead workers held: everybody's duty who works without a stream. */
  async reclaim(queue) {
    const answer = await this.#call('Reclaim', () => message({ 1: queue, 2: 64 }))
    return answer.number(1) + answer.number(2)
  }

  /**
   * Works a queue over one stream after the other: `handlers` are kind → async (job). Returns when
   * `until` said, after a run, that it is enough, and what was taken is settled.
   */
  async work(queue, handlers, { concurrency = 8, lease = 30_000, until = () => false } = {}) {
    const running = new Map() // token → job
    let unsent = [] // settlements not on the wire, or without an answer on a stream that broke
    let stops = false
    let refusal
    for (let failures = 0; !stops || running.size || unsent.length; failures++) {
      if (failures > 0) await pause(Math.min(10_000, 100 * 2 ** failures))
      await new Promise((ended) => {
        let unanswered = []
        let credits = 0 // given on this stream and not used
        let isOpen = true
        let hasStopped = false
        const send = (first = {}) => {
          if (!isOpen) return
          const due = unsent
          unsent = []
          unanswered.push(...due)
          const wanted = stops ? 0 : Math.max(0, concurrency - running.size - credits)
          credits += wanted
          const tellsStop = stops && !hasStopped
          hasStopped = stops
          const request = message({
            ...first, 2: wanted || undefined, 3: due.map(settlement), 6: tellsStop || undefined,
          })
          if (request.length) stream.write(framed(request))
          if (stops && !running.size && !unanswered.length) {
            isOpen = false
            stream.end()
          }
        }
        const run = async (job) => {
          running.set(job.token.toString('hex'), job)
          let verdict = { ack: true }
          try {
            await handlers[job.kind](job)
          } catch (error) {
            const after = Math.floor(Math.random() * Math.min(3_600_000, 1000 * 2 ** Math.min(30, job.attempt)))
            verdict = { retry: { after, reason: `${error}`.slice(0, 600) } }
          }
          if (!running.delete(job.token.toString('hex'))) return // lost
          unsent.push({ token: job.token, ...verdict })
          stops ||= until()
          send()
        }
        const stream = this.#open('Work', undefined, (answer) => {
          failures = 0
          for (const it of answer.all(1)) {
            credits -= 1
            const job = delivered(it)
            if (stops) unsent.push({ token: job.token, release: true })
            else if (handlers[job.kind]) run(job)
            else unsent.push({ token: job.token, reject: 'it is not in the stored form' })
          }
          for (const outcome of answer.numbers(4)) {
            const asked = unanswered.shift()
            if (!['done', 'stale'].includes(OUTCOMES[outcome])) {
              setTimeout(() => { unsent.push(asked); send() }, 500)
            }
          }
          for (const outcome of answer.numbers(5)) {
            const token = renewing.shift()
            if (OUTCOMES[outcome] === 'stale') running.delete(token.toString('hex'))
          }
          send()
        }, (error) => {
          isOpen = false
          clearInterval(keeper)
          unsent = [...unanswered, ...unsent]
          if (error && !error.mayPass) refusal = error
          ended()
        })
        const renewing = []
        const renew = () => {
          if (!isOpen || !running.size) return
          const tokens = [...running.values()].map((it) => it.token)
          renewing.push(...tokens)
          stream.write(framed(message({ 4: tokens })))
        }
        const keeper = setInterval(renew, lease / 3)
        const kinds = message({ 1: Object.keys(handlers) })
        send({ 1: message({ 1: queue, 2: kinds, 3: lease }) })
        renew()
      })
      if (refusal) throw refusal
      if (stops && failures > 10) break // The server does not come back: the leases will.
    }
  }
}
