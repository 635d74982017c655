// SPDX-License-Identifier: Apache-2.0
public import Godwit
import Synchronization

/// Points of many keys, each analysed in order with the last points of its key at hand.
///
///     let readings = KeyedStream(
///         "readings", of: Reading.self, key: \.device, window: 100, state: Usage.self, on: broker)
///     try await readings.append(reading)
///
/// A value; making one opens nothing. All that is set here travels with the calls, so producers and
/// workers of one stream must agree on `window`, the coding and the key.
public struct KeyedStream<Point: Sendable, State: Sendable>: Sendable {
    public let name: QueueName
    public let broker: any StreamBroker
    /// The most points that a handler sees: the current one and up to `window − 1` before it.
    public let window: Int
    public var late: LatePolicy = .accept
    /// The most points of one key that may wait; further ones are refused.
    public var maxPending = 100_000

    let key: @Sendable (Point) -> String
    let time: (@Sendable (Point) -> Timestamp)?
    let pointCoding: StreamCoding<Point>
    let stateCoding: StreamCoding<State>
    let initialState: @Sendable () -> State
    let ids = PointIDSequence()

    /// A stream with codings of your own.
    ///
    /// - `time`: the point's own time is its id, so that the same point sent twice is one point.
    ///   Without it the id is the time of sending, made to rise; producers that send for one key in
    ///   the same millisecond tell theirs apart by chance, and a clash gets another id.
    public init(
        _ name: QueueName, key: @escaping @Sendable (Point) -> String, window: Int,
        time: (@Sendable (Point) -> Timestamp)? = nil, points: StreamCoding<Point>,
        states: StreamCoding<State>, startingWith initialState: @escaping @Sendable () -> State,
        on broker: any StreamBroker
    ) {
        self.name = name
        self.broker = broker
        self.window = max(1, min(window, StreamLimits.window + 1))
        self.key = key
        self.time = time
        self.pointCoding = points
        self.stateCoding = states
        self.initialState = initialState
    }

    /// How many handled points the store keeps.
    var kept: Int { window - 1 }
}

extension KeyedStream where Point: Codable, State: StreamState {
    /// A stream of `Codable` points and states, written as MessagePack.
    public init(
        _ name: QueueName, of points: Point.Type = Point.self,
        key: @escaping @Sendable (Point) -> String, window: Int, state: State.Type = State.self,
        time: (@Sendable (Point) -> Timestamp)? = nil, on broker: any StreamBroker
    ) {
        self.init(
            name, key: key, window: window, time: time, points: .messagePack, states: .messagePack,
            startingWith: { State() }, on: broker)
    }
}

/// What becomes of a point that is older than the newest of its key.
public enum LatePolicy: Sendable, Hashable {
    /// Handled in its turn, marked as late.
    case accept
    /// An ordinary message of another queue (``StrayPoint``); never the one of the stream's name.
    case divert(to: QueueName)
    /// Not accepted; the producer is told.
    case drop
}

/// Hands out rising ids by the clock: one sequence for all keys rises for each of them.
///
/// Each millisecond begins at a random place in the lower half of its 65,536 ids, so that two
/// sequences seldom make the same one.
final class PointIDSequence: Sendable {
    private struct State {
        var last = PointID.none
        var random = Xoshiro()
    }

    private let state = Mutex(State())

    /// Jumps on by a random step, out of the ids that another sequence may have made in a row.
    func jump() {
        state.withLock { state in
            let step = UInt64(state.random.next() >> 49)
            state.last = PointID(rawValue: state.last.rawValue &+ step)
        }
    }

    func next(at now: Timestamp) -> PointID {
        state.withLock { state in
            // A clock that goes back by little does no harm; one that was far ahead is forgotten.
            if now > state.last.time || state.last.time - now >= .seconds(60) {
                let offset = UInt16(truncatingIfNeeded: state.random.next() >> 49)
                state.last = PointID(now, sequence: offset)
            } else {
                state.last = state.last.next
            }
            return state.last
        }
    }
}
