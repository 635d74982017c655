// SPDX-License-Identifier: Apache-2.0
import GRPCCore

/// What a call needs before a service sees it. A method that does not stand here is refused.
///
/// This is the outer gate: the act anywhere. In which queue is looked at by the service
/// (``Caller/allowed(_:on:)``), because only it knows what the call is about.
enum Policy: Sendable, Hashable {
    /// Not even a token.
    case nothing
    /// A token that is good.
    case token
    /// One of these acts, in some queue.
    case anyOf(Set<Act>)

    static func act(_ act: Act) -> Policy { .anyOf([act]) }

    static func of(_ method: MethodDescriptor) -> Policy? { table[method.fullyQualifiedMethod] }

    /// It goes on for as long as its client wants: it ends when its token does.
    static func isLong(_ method: MethodDescriptor) -> Bool {
        long.contains(method.fullyQualifiedMethod)
    }

    private static let long: Set<String> = ["godwit.v1.Queue/Work", "godwit.v1.Streams/WorkLanes"]

    private static let table: [String: Policy] = {
        var table: [String: Policy] = [:]
        func add(_ service: String, _ policy: Policy, _ methods: String...) {
            for method in methods { table["\(service)/\(method)"] = policy }
        }
        add("grpc.health.v1.Health", .nothing, "Check", "Watch")
        add("godwit.v1.Queue", .act(.produce), "Enqueue")
        add(
            "godwit.v1.Queue", .act(.work), "Reserve", "Work", "Renew", "Checkpoint", "Settle",
            "SettleThenReserve", "Wait", "Promote", "Reclaim", "Prune")
        add(
            "godwit.v1.Inspector", .act(.inspect), "Queues", "QueueKinds", "GetMessage", "Find",
            "Messages", "Search", "Settings", "Check")
        add("godwit.v1.Inspector", .anyOf([.inspect, .work]), "Counts")
        add(
            "godwit.v1.Operator", .act(.operate), "Redrive", "Cancel", "PromoteNow", "Pause",
            "Resume", "Purge", "Apply", "Faults", "Repair")
        add("godwit.v1.Store", .token, "Hello")
        add("godwit.v1.Store", .act(.inspect), "Diagnose", "Events", "Backlog")
        add("godwit.v1.Store", .act(.operate), "MarkArchived")
        // Workers leave notes too.
        add("godwit.v1.Store", .anyOf([.work, .inspect]), "Notes", "GetNote")
        add("godwit.v1.Store", .anyOf([.work, .operate]), "WriteNote", "EraseNote")
        add("godwit.v1.Streams", .act(.produce), "Append")
        add(
            "godwit.v1.Streams", .act(.work), "WorkLanes", "ReserveLanes", "Memories",
            "SettleLanes", "SettleThenReserveLanes", "RenewLanes", "ReclaimLanes", "ExpireLanes",
            "WaitForLanes")
        add(
            "godwit.v1.Streams", .act(.operate), "RedriveLane", "SkipPoint", "ReplayLane",
            "ForgetLane")
        add(
            "godwit.v1.Streams", .act(.inspect), "ListStreams", "StreamCounts", "Lanes", "Lane",
            "DroppedKeys")
        return table
    }()
}
