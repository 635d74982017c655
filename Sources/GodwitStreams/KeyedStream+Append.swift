// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// What became of an accepted or recognised point.
public enum Appended: Sendable, Hashable {
    case appended
    /// Older than the newest of its key; it is handled in its turn, marked.
    case late
    /// Older than the newest of its key; it is a message of the queue for late points now.
    case diverted
    /// Older than the newest of its key; it was not accepted, as the stream's policy wants it.
    case dropped
    /// The key holds it already; nothing was added (I12).
    case duplicate
}

/// Why an append was not, or not wholly, accepted.
@nonexhaustive
public enum AppendError: Error, Sendable {
    /// A point does not encode; nothing was appended.
    case notEncodable(index: Int, reason: String)
    /// These points, by their places in the call, were not added: their keys hold the maximum of
    /// waiting points. Slow down, then append these again.
    case full(stream: QueueName, [Int])
    /// These points, by their places in the call, were not added: their time is more than a day
    /// ahead of the store's clock.
    case ahead(stream: QueueName, [Int])
    /// The store failed. After ``BrokerError/unknown(_:)`` it was repeated in vain: the points may
    /// or may not be there. Points whose id is their own time can be appended again without harm.
    case broker(BrokerError)
}

extension AppendError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notEncodable(let index, let reason):
            "point \(index) could not be encoded: \(reason). Nothing was appended."
        case .full(let stream, let places):
            """
            \(places.count) point(s) were not added to '\(stream)', the first is number \
            \(places.first ?? 0) of the call: their keys hold the maximum of waiting points. Slow down \
            or add workers, then append these again.
            """
        case .ahead(let stream, let places):
            """
            \(places.count) point(s) were not added to '\(stream)', the first is number \
            \(places.first ?? 0) of the call: their time is over a day ahead of the store's clock. \
            Mend the clock that made them.
            """
        case .broker(let error): error.description
        }
    }
}

extension KeyedStream {
    /// How often an append whose answer was lost is sent again, with the same ids.
    private static var resends: Int { 3 }
    /// How often a point whose new id is taken gets another one; once is enough by all odds.
    private static var renames: Int { 8 }

    /// Accepts one point; returns when the store has it.
    ///
    /// - Moves: the key's lane, idle → ready.
    /// - Repeated: with ids from the points' own time a repetition is recognised as `duplicate`.
    /// - Crash halfway: the point is there or it is not. A lost answer is asked again by itself.
    @discardableResult
    public func append(_ point: Point) async throws(AppendError) -> Appended {
        try await append(contentsOf: CollectionOfOne(point))[0]
    }

    /// Accepts many points in as few trips as their bytes allow, in their order.
    ///
    /// Each is accepted or refused by itself; when some are refused as `full` or `ahead` the error
    /// names their places, and all others were accepted.
    @discardableResult
    public func append(
        contentsOf points: some Collection<Point>
    ) async throws(AppendError) -> [Appended] {
        var new: [NewPoint] = []
        new.reserveCapacity(points.count)
        for (index, point) in points.enumerated() {
            let body: [UInt8]
            do {
                body = try pointCoding.encode(point)
            } catch {
                throw .notEncodable(index: index, reason: "\(error)")
            }
            new.append(NewPoint(key: key(point), id: id(of: point), body: body))
        }
        if new.isEmpty { return [] }
        if case .divert(to: name) = late { throw .broker(divertsToItself) }
        var outcomes = try await send(new)
        if time == nil { outcomes = try await rename(&new, outcomes) }
        return try await answers(to: new, outcomes)
    }

    /// Points that were named here and whose ids are there already are not those: another producer
    /// made the same ids. They get new ones, behind what came meanwhile.
    private func rename(
        _ points: inout [NewPoint], _ outcomes: [AppendOutcome]
    ) async throws(AppendError) -> [AppendOutcome] {
        var outcomes = outcomes
        for _ in 0..<Self.renames {
            let places = outcomes.indices.filter { outcomes[$0] == .duplicate }
            if places.isEmpty { break }
            ids.jump()
            for place in places {
                points[place].id = ids.next(at: broker.time.now() + broker.clockOffset)
            }
            let again = try await send(places.map { points[$0] })
            for (place, outcome) in zip(places, again) { outcomes[place] = outcome }
        }
        return outcomes
    }

    private var divertsToItself: BrokerError {
        .invalid(
            BrokerError.Problem(
                what: "append to '\(name)'", location: "the stream's late policy",
                cause: "late points are to go to the queue of the stream's own name, from which "
                    + "they would be appended again",
                advice: "Name another queue, or accept late points."))
    }

    private func id(of point: Point) -> PointID {
        if let time { return PointID(time(point)) }
        return ids.next(at: broker.time.now() + broker.clockOffset)
    }

    private func send(_ points: [NewPoint]) async throws(AppendError) -> [AppendOutcome] {
        let options = AppendOptions(acceptsLate: late == .accept, maxPending: maxPending)
        var sent = 0
        while true {
            do throws(BrokerError) {
                var outcomes = try await broker.append(points, to: name, options: options)
                // Why: what the lost first send has appended answers `duplicate` to the second.
                if sent > 0 {
                    for index in outcomes.indices where outcomes[index] == .duplicate {
                        outcomes[index] = .appended
                    }
                }
                return outcomes
            } catch {
                guard case .unknown = error, sent < Self.resends else { throw .broker(error) }
                sent += 1
                await broker.time.sleep(for: .milliseconds(100 << sent))
            }
        }
    }

    private func answers(
        to points: [NewPoint], _ outcomes: [AppendOutcome]
    ) async throws(AppendError) -> [Appended] {
        var answers: [Appended] = []
        answers.reserveCapacity(outcomes.count)
        var full: [Int] = []
        var ahead: [Int] = []
        var strays: [NewPoint] = []
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .appended: answers.append(.appended)
            case .appendedLate: answers.append(.late)
            case .duplicate: answers.append(.duplicate)
            case .full: full.append(index)
            case .ahead: ahead.append(index)
            case .late:
                if case .divert = late {
                    strays.append(points[index])
                    answers.append(.diverted)
                } else {
                    answers.append(.dropped)
                }
            }
        }
        if case .divert(let queue) = late, !strays.isEmpty { try await divert(strays, to: queue) }
        if !full.isEmpty { throw .full(stream: name, full) }
        if !ahead.isEmpty { throw .ahead(stream: name, ahead) }
        return answers
    }

    /// The point's id makes the message's, so that a repetition adds nothing while it is known.
    private func divert(_ points: [NewPoint], to queue: QueueName) async throws(AppendError) {
        let messages = points.map { point in
            StrayPoint(
                stream: name, key: point.key, id: point.id, coding: pointCoding.name,
                body: point.body
            ).message(.child(of: point.id, key: point.key, stream: name, index: -1))
        }
        do throws(BrokerError) {
            _ = try await broker.enqueue(messages, to: queue)
        } catch {
            throw .broker(error)
        }
    }
}
