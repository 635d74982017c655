// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Godwit
import GodwitIngest
import Testing

@Suite struct `Delete batcher` {
    private let start = Timestamp(milliseconds: 1_000_000)

    private func entry(_ number: UInt64) -> DeleteBatcher.Entry {
        DeleteBatcher.Entry(number: number, receipt: "r\(number)")
    }

    @Test func `ten go at once, fewer when the oldest has waited`() {
        var batcher = DeleteBatcher()
        #expect(batcher.next(at: start, isFlushing: true) == nil)
        #expect(batcher.nextDue == nil)
        for number in 1...9 as ClosedRange<UInt64> { batcher.add(entry(number), at: start) }
        #expect(batcher.next(at: start + .milliseconds(49), isFlushing: false) == nil)
        #expect(batcher.nextDue == start + .milliseconds(50))
        batcher.add(entry(10), at: start + .milliseconds(49))
        batcher.add(entry(11), at: start + .milliseconds(49))
        #expect(batcher.next(at: start + .milliseconds(49), isFlushing: false)?.count == 10)
        #expect(batcher.next(at: start + .milliseconds(98), isFlushing: false) == nil)
        #expect(
            batcher.next(at: start + .milliseconds(99), isFlushing: false) == [entry(11)])
    }

    @Test func `a stop waits for nobody`() {
        var batcher = DeleteBatcher()
        batcher.add(entry(1), at: start)
        #expect(batcher.next(at: start, isFlushing: true) == [entry(1)])
    }

    @Test func `what failed goes first, later each time, and a success ends that`() {
        var batcher = DeleteBatcher()
        for number in 1...12 as ClosedRange<UInt64> { batcher.add(entry(number), at: start) }
        guard let first = batcher.next(at: start, isFlushing: false) else { return }
        batcher.failed(first, at: start)
        #expect(batcher.count == 12)
        #expect(batcher.next(at: start + .milliseconds(49), isFlushing: true) == nil)
        let again = batcher.next(at: start + .milliseconds(50), isFlushing: false)
        #expect(again == first)
        batcher.failed(first, at: start)
        #expect(batcher.next(at: start + .milliseconds(99), isFlushing: true) == nil)
        for _ in 0..<40 { batcher.failed([], at: start) }
        #expect(batcher.nextDue == start + .milliseconds(5000))
        batcher.succeeded()
        #expect(batcher.next(at: start, isFlushing: true) == first)
    }
}

@Suite struct `SQS state` {
    private let start = Timestamp(milliseconds: 1_000_000)

    private func state(concurrency: Int = 2, prefetch: Int = 3) -> SQSState {
        SQSState(
            concurrency: concurrency, prefetch: prefetch, visibility: .seconds(30),
            horizon: .seconds(43_200))
    }

    private func messages(_ names: String...) -> [SQSMessage] {
        names.map { SQSMessage(id: $0, receiptHandle: "r-\($0)", body: $0) }
    }

    @Test func `what is being put off is not extended`() {
        var state = state()
        #expect(state.nextPoll() == 5)
        _ = state.received(messages("a", "b"), asked: 5, at: start)
        guard let one = state.take(at: start) else {
            Issue.record("nothing to take")
            return
        }
        let isFirst = state.finished(one.number)
        #expect(isFirst)
        #expect(state.toExtend(at: start).map(\.receipt) == ["r-a", "r-b"])
        state.hides(one.number)
        #expect(state.toExtend(at: start).map(\.receipt) == ["r-b"])
    }

    @Test func `no more is asked for than fits`() {
        var state = state()
        #expect(state.nextPoll() == 5)
        #expect(state.nextPoll() == nil)
        _ = state.received(messages("a", "b"), asked: 5, at: start)
        #expect(state.nextPoll() == 3)
        _ = state.received([], asked: 3, at: start)
        let one = state.take(at: start)
        #expect(one?.message.id == "a")
        #expect(state.nextPoll() == 3)
        #expect(state.finished(1) == true)
        // What only waits for its delete takes no room.
        _ = state.received([], asked: 3, at: start)
        #expect(state.nextPoll() == 4)
        var wide = self.state(concurrency: 50)
        #expect(wide.nextPoll() == 10)
    }

    @Test
    func `everything is extended from its receipt: buffered, handled and about to be deleted`() {
        var state = state()
        _ = state.nextPoll()
        _ = state.received(messages("a", "b", "c"), asked: 5, at: start)
        _ = state.take(at: start)
        _ = state.take(at: start)
        _ = state.finished(1)
        let extensions = state.toExtend(at: start + .seconds(10))
        #expect(extensions.map(\.receipt) == ["r-a", "r-b", "r-c"])
        #expect(extensions.allSatisfy { $0.visibility == .seconds(30) })
        #expect(state.nextLoss == start + .seconds(30))
        state.extended(extensions, sentAt: start + .seconds(10))
        #expect(state.nextLoss == start + .seconds(40))
    }

    @Test func `twelve hours after its receipt a message is extended no more and its handler told`()
    {
        var state = state()
        _ = state.nextPoll()
        _ = state.received(messages("a"), asked: 5, at: start)
        _ = state.take(at: start)
        var now = start
        while true {
            let extensions = state.toExtend(at: now)
            if extensions.isEmpty { break }
            state.extended(extensions, sentAt: now)
            #expect(state.lose([], at: now).ids == [])
            now = now + .seconds(10)
        }
        #expect(state.nextLoss == start + .seconds(43_200))
        #expect(state.lose([], at: start + .seconds(43_199)).told == [])
        let (ids, told) = state.lose([], at: start + .seconds(43_200))
        #expect(ids == ["a"])
        #expect(told == [1])
        #expect(state.finished(1) == false)
        #expect(state.handled == 0)
    }

    @Test func `what was lost in the buffer is not handled`() {
        var state = state()
        _ = state.nextPoll()
        _ = state.received(messages("a", "b"), asked: 5, at: start)
        #expect(state.lose([1], at: start).told == [])
        #expect(state.take(at: start)?.message.id == "b")
        _ = state.nextPoll()
        _ = state.received(messages("c"), asked: 4, at: start)
        #expect(state.take(at: start + .seconds(30)) == nil)
        #expect(state.held.count == 1)
    }

    @Test func `a stop gives back the buffer, and what a poll still brings`() {
        var state = state()
        _ = state.nextPoll()
        _ = state.received(messages("a", "b", "c"), asked: 5, at: start)
        _ = state.take(at: start)
        _ = state.nextPoll()
        #expect(state.stop() == ["r-b", "r-c"])
        #expect(state.take(at: start) == nil)
        #expect(state.nextPoll() == nil)
        #expect(state.received(messages("d"), asked: 2, at: start) == ["r-d"])
        #expect(!state.isDrained)
        #expect(state.toExtend(at: start).map(\.receipt) == ["r-a"])
        #expect(state.finished(1) == true)
        #expect(state.isDrained)
        #expect(state.stop() == [])
    }

    @Test func `after the grace the rest is given back and counts no more`() {
        var state = state()
        _ = state.nextPoll()
        _ = state.received(messages("a"), asked: 5, at: start)
        _ = state.take(at: start)
        _ = state.stop()
        let (told, receipts) = state.endGrace()
        #expect(told == [1])
        #expect(receipts == ["r-a"])
        #expect(state.finished(1) == false)
    }
}
