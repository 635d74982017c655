// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// What a door says of itself to a client that comes in.
struct Greeting {
    let limits: BrokerLimits
    let clockOffset: Duration

    /// Asks for it: the first call of a connection, which tells whether there is a door at all.
    ///
    /// The offset is the server's clock less the middle of the round trip, so it is wrong by half of the
    /// trip at most; zero where a virtual clock is told to both.
    init(
        _ store: Godwit_V1_Store.Client<HTTP2ClientTransport.Posix>, over courier: Courier,
        _ time: any TimeSource, patience: Duration
    ) async throws(BrokerError) {
        var wire = Godwit_V1_HelloRequest()
        wire.version = StoreService.version
        let began = time.now()
        let hello: Godwit_V1_HelloResponse
        do throws(BrokerError) {
            hello = try await courier.call("open", isRead: true, timeout: patience, wire) {
                try await store.hello(request: $0, options: $1)
            }
        } catch .unavailable(var problem) {
            problem.advice =
                "Look whether `godwit serve --grpc` runs there and the address is right."
            throw .unavailable(problem)
        } catch {
            throw error
        }
        guard hello.version == StoreService.version else {
            throw .misconfigured(
                BrokerError.Problem(
                    what: "open", location: courier.location,
                    cause: "the server speaks version \(hello.version) of the interface, "
                        + "this program version \(StoreService.version)",
                    advice: "Use a program and a server of one age."))
        }
        let middle = began + .milliseconds((time.now() - began).milliseconds / 2)
        limits = BrokerLimits(
            messageBytes: Int(wire: hello.messageBytes), batch: Int(wire: hello.batch),
            batchBytes: Int(wire: hello.batchBytes))
        clockOffset = time.isVirtual ? .zero : Timestamp(wire: hello.nowMs) - middle
    }
}

extension RemoteBroker: Diagnosable {
    /// What the store says of itself, behind what can be said of the way to it.
    public func diagnose() async -> [Diagnosis] {
        let subject = "gRPC door"
        do throws(BrokerError) {
            let response = try await courier.call(
                "diagnose", isRead: true, Godwit_V1_DiagnoseRequest()
            ) { [store] in try await store.diagnose(request: $0, options: $1) }
            let way = Diagnosis(
                .good, subject, courier.location,
                "The door answers; its clock is \(clockOffset.milliseconds) ms ahead of this one.")
            return [way] + response.findings.map(Diagnosis.init)
        } catch .misconfigured(let problem) {
            return [
                Diagnosis(
                    .note, subject, courier.location,
                    "The door did not say how the store is: \(problem.cause). \(problem.advice)")
            ]
        } catch {
            return [Diagnosis(.problem, subject, "no answer", "\(error)")]
        }
    }
}
