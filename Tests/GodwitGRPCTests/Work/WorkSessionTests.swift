// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import GodwitProtos
import Testing

/// What one Work stream decides, without a store and without a connection.
@Suite struct `Work session` {
    @Test(arguments: UInt64(1)...60)
    func `any order of events keeps the promises`(_ seed: UInt64) {
        var game = Game(seed: seed)
        game.play(rounds: 300)
        game.finish()
    }

    @Test func `the whole of an absurd credit is never out`() {
        var game = Game(seed: 1)
        game.ready = 5000
        for _ in 0..<20 {
            // The store of the game fails now and then.
            game.now = game.now + .seconds(1)
            var input = WorkInput()
            input.credits = Int(UInt32.max)
            game.say(input)
        }
        #expect(game.session.out == game.limit)
    }

    @Test func `a suspect is asked for only when nothing is out, and goes alone`() {
        var session = WorkSession(WorkSession.Terms(), seed: 1)
        let now = Timestamp(milliseconds: 1_000_000)
        var input = WorkInput()
        input.credits = 10
        session.take(input)
        guard case .reserve(let first) = session.next(at: now) else { return fail() }
        #expect(first.takesSuspects)
        let suspect = Game.token(1, lost: 2)
        session.reserved(
            .success(Game.reservation([suspect], at: now, suspects: 1)), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        guard case .rest(let rest) = session.next(at: now) else { return fail() }
        #expect(!rest.waitsForMessages)
        input = WorkInput()
        input.credits = 1
        input.settlements = [Settlement(suspect, .ack)]
        session.take(input)
        guard case .settle(_, nil) = session.next(at: now) else { return fail() }
        session.settled(.success([.done]), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        guard case .reserve(let second) = session.next(at: now) else { return fail() }
        #expect(second.takesSuspects)
    }

    @Test func `a store that fails is not asked again at once`() {
        var session = WorkSession(WorkSession.Terms(), seed: 1)
        let now = Timestamp(milliseconds: 1_000_000)
        var input = WorkInput()
        input.credits = 1
        session.take(input)
        guard case .reserve = session.next(at: now) else { return fail() }
        session.reserved(.failure(Game.failure), at: now)
        guard case .write(let answer) = session.next(at: now) else { return fail() }
        #expect(answer.failure != nil)
        session.wrote(true)
        guard case .rest(let rest) = session.next(at: now) else { return fail() }
        #expect(rest.until.map { $0 > now } == true)
        session.wake()
        guard case .rest = session.next(at: now) else { return fail() }
        guard case .reserve = session.next(at: now + .seconds(1)) else { return fail() }
    }

    @Test func `settling and reserving go in one trip`() {
        var session = WorkSession(WorkSession.Terms(batch: 2), seed: 1)
        let now = Timestamp(milliseconds: 1_000_000)
        var input = WorkInput()
        input.credits = 2
        session.take(input)
        guard case .reserve = session.next(at: now) else { return fail() }
        let tokens = [Game.token(1), Game.token(2)]
        session.reserved(.success(Game.reservation(tokens, at: now)), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        input.settlements = tokens.map { Settlement($0, .ack) }
        session.take(input)
        guard case .settle(_, let request?) = session.next(at: now) else { return fail() }
        #expect(request.count == 2)
        #expect(!request.takesSuspects)
    }

    @Test func `a message that was settled elsewhere is out only as long as its lease`() {
        var session = WorkSession(WorkSession.Terms(limit: 1), seed: 1)
        let now = Timestamp(milliseconds: 1_000_000)
        var input = WorkInput()
        input.credits = 5
        session.take(input)
        guard case .reserve = session.next(at: now) else { return fail() }
        session.reserved(.success(Game.reservation([Game.token(1)], at: now)), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        guard case .rest(let rest) = session.next(at: now) else { return fail() }
        #expect(rest.until == now + .seconds(30))
        guard case .reserve = session.next(at: now + .seconds(31)) else { return fail() }
    }

    @Test func `a server that ends waits for what is out, and hands out nothing`() {
        var session = WorkSession(WorkSession.Terms(), seed: 1)
        let now = Timestamp(milliseconds: 1_000_000)
        var input = WorkInput()
        input.credits = 2
        session.take(input)
        guard case .reserve = session.next(at: now) else { return fail() }
        let token = Game.token(1)
        session.reserved(.success(Game.reservation([token], at: now)), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        session.close()
        guard case .write(let answer) = session.next(at: now) else { return fail() }
        #expect(answer.isClosing)
        session.wrote(true)
        session.wake()
        guard case .rest = session.next(at: now) else { return fail() }
        input = WorkInput()
        input.credits = 1
        input.settlements = [Settlement(token, .ack)]
        session.take(input)
        guard case .settle(_, nil) = session.next(at: now) else { return fail() }
        session.settled(.success([.done]), at: now)
        guard case .write = session.next(at: now) else { return fail() }
        session.wrote(true)
        guard case .end = session.next(at: now) else { return fail() }
    }

    private func fail(_ location: SourceLocation = #_sourceLocation) {
        Issue.record("another step was expected", sourceLocation: location)
    }
}
