// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

/// Notes of others are left out, and answer as if they were not there.
extension StoreService {
    func notes(
        request: Godwit_V1_NotesRequest, context: ServerContext
    ) async throws -> Godwit_V1_NotesResponse {
        let caller = try Caller.known()
        let folder = try NoteScope(request.folder)
        return try await answering {
            let notes = try await read(folder, for: caller)
            let after = Array(request.after.utf8)
            var response = Godwit_V1_NotesResponse()
            var bytes = 0
            for note in notes.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
            where after.lexicographicallyPrecedes(note.name.utf8) {
                if bytes >= WireLimits.pageBytes {
                    response.next = response.notes.last?.name ?? ""
                    break
                }
                bytes += note.wireSize
                response.notes.append(note.wire)
            }
            return response
        }
    }

    func getNote(
        request: Godwit_V1_GetNoteRequest, context: ServerContext
    ) async throws -> Godwit_V1_GetNoteResponse {
        let caller = try Caller.known()
        let folder = try NoteScope(request.folder)
        return try await answering {
            var response = Godwit_V1_GetNoteResponse()
            if case .store = folder, !caller.may(.inspect, nil) { throw Caller.denial }
            guard let note = try await broker.board.note(request.name, in: folder.folder) else {
                return response
            }
            if try await folder.isAbout(note, broker).map(caller.mayRead) ?? true {
                response.note = note.wire
            }
            return response
        }
    }

    func writeNote(
        request: Godwit_V1_WriteNoteRequest, context: ServerContext
    ) async throws -> Godwit_V1_NoteResponse {
        let caller = try Caller.known()
        let folder = try NoteScope(request.folder)
        return try await answering {
            try await checkWrite(request.name, request.bytes.array, folder, caller)
            let what = "write a note of '\(folder.folder.rawValue)'"
            var response = Godwit_V1_NoteResponse()
            response.done = try await broker.board.write(
                request.bytes.array, as: request.name, in: folder.folder,
                for: request.hasTimeToLiveMs ? Duration(wire: request.timeToLiveMs) : nil,
                if: try NoteExpectation(request.expected, what))
            return response
        }
    }

    func eraseNote(
        request: Godwit_V1_EraseNoteRequest, context: ServerContext
    ) async throws -> Godwit_V1_NoteResponse {
        let caller = try Caller.known()
        let folder = try NoteScope(request.folder)
        return try await answering {
            let what = "erase a note of '\(folder.folder.rawValue)'"
            let expected = try NoteExpectation(request.expected, what)
            var response = Godwit_V1_NoteResponse()
            guard try await mayErase(request.name, folder, caller) else { return response }
            response.done = try await broker.board.erase(
                request.name, in: folder.folder, if: expected)
            return response
        }
    }

    // MARK: scope

    private func read(_ scope: NoteScope, for caller: Caller) async throws -> [Note] {
        switch scope {
        case .store(let folder):
            guard caller.may(.inspect, nil) else { throw Caller.denial }
            return try await broker.board.notes(in: folder)
        case .workers:
            return try await broker.board.notes(in: .workers).filter {
                caller.mayRead($0.worksOn)
            }
        case .orders:
            let orders = try await broker.board.notes(in: .orders)
            if orders.isEmpty || caller.may(.inspect, nil) { return orders }
            let workers = try await broker.board.notes(in: .workers)
            let seen = Set(workers.filter { caller.mayRead($0.worksOn) }.map(\.name))
            return orders.filter { seen.contains($0.name) }
        }
    }

    /// A beat must say the number that it is named by, or one worker could hide behind another.
    private func checkWrite(
        _ name: String, _ bytes: [UInt8], _ scope: NoteScope, _ caller: Caller
    ) async throws {
        switch scope {
        case .store:
            guard caller.may(.operate, nil) else { throw Caller.denial }
        case .workers:
            if caller.may(.work, nil) { return }
            let zero = Timestamp(milliseconds: 0)
            let sent = Note(name: name, bytes: bytes, version: 0, writtenAt: zero)
            guard let beat = WorkerBeat(sent), "\(beat.number)" == name,
                let queue = try? QueueName(beat.queue), caller.may(.work, queue)
            else { throw Caller.denial }
            guard let there = try await broker.board.note(name, in: .workers) else { return }
            guard let other = there.worksOn, caller.may(.work, other) else { throw Caller.denial }
        case .orders:
            if caller.may(.operate, nil) || caller.may(.work, nil) { return }
            guard let worker = try await broker.board.note(name, in: .workers),
                caller.mayOrder(worker.worksOn)
            else { throw Caller.denial }
        }
    }

    /// False: to this caller it is not there.
    private func mayErase(
        _ name: String, _ scope: NoteScope, _ caller: Caller
    ) async throws -> Bool {
        switch scope {
        case .store:
            guard caller.may(.operate, nil) else { throw Caller.denial }
            return true
        case .workers:
            if caller.may(.work, nil) { return true }
            let queue = try await broker.board.note(name, in: .workers)?.worksOn
            return queue.map { caller.may(.work, $0) } ?? false
        case .orders:
            if caller.may(.operate, nil) || caller.may(.work, nil) { return true }
            return caller.mayOrder(try await broker.board.note(name, in: .workers)?.worksOn)
        }
    }
}

/// A folder as callers may name it: by what its notes are about.
private enum NoteScope {
    case workers
    case orders
    /// About the whole store.
    case store(NoteFolder)

    /// What is not named here is denied, so that no new folder is open by mistake: what is in `tokens`
    /// never goes over the wire.
    init(_ text: String) throws(RPCError) {
        switch text {
        case "workers": self = .workers
        case "orders": self = .orders
        case "duties": self = .store(.duties)
        case "rules": self = .store(.rules)
        case "targets": self = .store(.targets)
        case "groups": self = .store(.groups)
        case "state": self = .store(.state)
        default: throw Caller.denial
        }
    }

    var folder: NoteFolder {
        switch self {
        case .workers: .workers
        case .orders: .orders
        case .store(let folder): folder
        }
    }

    /// The queue of a note; the outer nil: of none, the inner nil: of one that can't be told.
    func isAbout(_ note: Note, _ broker: any Broker) async throws -> QueueName?? {
        switch self {
        case .workers: .some(note.worksOn)
        case .orders: .some(try await broker.board.note(note.name, in: .workers)?.worksOn)
        case .store: .none
        }
    }
}

extension Note {
    /// The queue that a worker's beat tells of; nil for what is no beat.
    fileprivate var worksOn: QueueName? {
        WorkerBeat(self).flatMap { try? QueueName($0.queue) }
    }
}

extension Caller {
    /// For nil: who may do it everywhere.
    fileprivate func mayRead(_ queue: QueueName?) -> Bool {
        may(.work, queue) || may(.inspect, queue)
    }

    fileprivate func mayOrder(_ queue: QueueName?) -> Bool {
        may(.work, queue) || may(.operate, queue)
    }
}
