// SPDX-License-Identifier: Apache-2.0
//
// A client for Godwit in plain Node.js, without a package: HTTP/2 of the standard library and protobuf by
// hand. Written from docs/wire.md alone, to try that page; it has the four calls of a small worker.

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

  #once(method, request, seconds) {
    return new Promise((resolve, reject) => {
      const stream = this.#connected().request({
        ':method': 'POST', ':path': `/godwit.v1.Queue/${method}`, te: 'trailers',
        'content-type': 'application/grpc', 'grpc-timeout': `${seconds}S`,
        ...(this.token && { authorization: `Bearer ${this.token}` }),
      })
      const chunks = []
      let trailers = {}
      stream.setTimeout(seconds * 1000, () => stream.close(http2.constants.NGHTTP2_CANCEL))
      stream.on('response', (headers) => (trailers = headers))
      stream.on('trailers', (headers) => (trailers = headers))
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('error', (error) => reject(new GodwitError('UNAVAILABLE', { 'godwit-cause': error.message })))
      stream.on('close', () => {
        const status = STATUS[trailers['grpc-status'] ?? 14] ?? 'UNKNOWN'
        const body = Buffer.concat(chunks)
        if (status !== 'OK') return reject(new GodwitError(status, trailers))
        if (body[0] !== 0 || body.length < 5 || body.length - 5 !== body.readUInt32BE(1)) {
          return reject(new GodwitError('INTERNAL', { 'godwit-cause': 'the answer is not one message' }))
        }
        resolve(read(body.subarray(5)))
      })
      const head = Buffer.alloc(5)
      head.writeUInt32BE(request.length, 1)
      stream.end(Buffer.concat([head, request]))
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
    return answer.all(1).map((it) => {
      const delivery = read(it)
      const told = read(delivery.bytes(2))
      const content = read(told.bytes(3))
      return {
        token: delivery.bytes(1), id: told.bytes(1), kind: told.text(2), contentType: content.text(1),
        payload: content.bytes(3), attempt: told.number(4), count: told.number(6),
      }
    })
  }

  /** `settlements`: `{token, ack: true}`, `{token, retry: {after, reason}}`, `{token, reject: reason}`. */
  async settle(queue, settlements) {
    const request = message({
      1: queue,
      2: settlements.map(({ token, retry, reject, release }) =>
        message({
          1: token,
          2: retry ? message({ 2: message({ 1: retry.after, 2: retry.reason }) })
            : reject !== undefined ? message({ 3: message({ 1: reject }) })
            : release ? message({ 4: message({}) })
            : message({ 1: message({}) }),
        }),
      ),
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
}
