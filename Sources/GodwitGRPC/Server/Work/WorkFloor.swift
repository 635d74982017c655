// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

/// What waits at the store for all Work streams, and tells them when the server ends.
///
/// Streams of one queue and the same kinds share a ``WorkRoom``: a thousand that have nothing to do cost
/// the store one call that waits.
final class WorkFloor: Sendable {
    fileprivate struct Key: Hashable {
        var queue: QueueName
        var kinds: [Kind]?
    }

    /// One stream's place.
    struct Seat: Sendable {
        let desk: WorkDesk
        let room: WorkRoom
        let queue: QueueName
        fileprivate let key: Key
    }

    private struct State {
        var rooms: [Key: WorkRoom] = [:]
        var isClosing = false
    }

    private let state = Mutex(State())
    private let opened: AsyncStream<WorkRoom>
    private let opening: AsyncStream<WorkRoom>.Continuation

    init() { (opened, opening) = AsyncStream.makeStream() }

    /// Runs until the task is cancelled, or the server ends and the last stream has left.
    func run(until closing: Closing) async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                await closing.wait()
                self.close()
            }
            for await room in opened { tasks.addTask { await room.run() } }
            tasks.cancelAll()
        }
    }

    /// Gives a stream its place.
    func join(
        _ desk: WorkDesk, queue: QueueName, kinds: [Kind]?, lease: Duration, broker: any Broker
    ) -> Seat {
        let key = Key(queue: queue, kinds: kinds?.sorted { $0.name < $1.name })
        let (room, isClosing) = state.withLock { state in
            let room = state.rooms[key] ?? WorkRoom(queue, kinds, on: broker)
            room.join(desk, lease: lease)
            if state.rooms.updateValue(room, forKey: key) == nil { opening.yield(room) }
            return (room, state.isClosing)
        }
        if isClosing { desk.close() }
        return Seat(desk: desk, room: room, queue: queue, key: key)
    }

    func leave(_ seat: Seat) {
        state.withLock { state in
            guard seat.room.leave(seat.desk) else { return }
            state.rooms[seat.key] = nil
            seat.room.end()
            if state.isClosing, state.rooms.isEmpty { opening.finish() }
        }
    }

    private func close() {
        let rooms = state.withLock { state in
            state.isClosing = true
            if state.rooms.isEmpty { opening.finish() }
            return Array(state.rooms.values)
        }
        for room in rooms { room.close() }
    }
}
