// SPDX-License-Identifier: Apache-2.0
import Godwit
public import GodwitMonitor
import HTTPTypes
public import Hummingbird

/// Adds three reads to a router of Hummingbird, wherever it stands.
///
/// - `/metrics`: what this process counted and what the store holds, as OpenMetrics or as
///   Prometheus' text, by `Accept`. A store that is down costs its gauges, not the answer.
/// - `/scale?queue=NAME`: `{"oldestSeconds":…,"ready":…,"leased":…,"slots":…,"suggestedSlots":…}` for
///   an autoscaler; how slots are suggested stands at ``QueueFlow/suggestedSlots``. Scale on the age
///   or on the suggestion, not on the length: a long queue of quick jobs needs nobody.
/// - `/health`: 200 while the store answers, else 503.
///
/// They hold no secret beyond names of queues and kinds, and check no credentials: put them behind
/// ``AccessCheck`` or your own middleware.
public func addMonitorRoutes(
    to router: some RouterMethods, metrics: OpenMetricsFactory, gauges: StoreGauges
) {
    router.get("metrics") { request, _ in
        let accepted = request.headers[values: .accept]
        let format = MetricsFormat(
            accept: accepted.isEmpty ? nil : accepted.joined(separator: ","))
        let look = await gauges.look()
        return Response.bytes(
            .ok, metrics.text(as: format, with: look.families), format.contentType)
    }
    router.get("scale") { request, _ in
        guard let queue = request.uri.queryParameters["queue"] else {
            return Response.text(.badRequest, "name the queue: /scale?queue=NAME")
        }
        let look = await gauges.look()
        guard look.isUp else {
            return Response.text(.serviceUnavailable, "the store did not answer; keep what runs.")
        }
        guard let flow = look.flows[String(queue)] else {
            return Response.text(.notFound, "no such queue: nothing was ever enqueued there.")
        }
        return Response.bytes(.ok, Array(flow.json.utf8), "application/json")
    }
    router.get("health") { _, _ in
        let isUp = await gauges.look().isUp
        let text = #"{"status":"\#(isUp ? "ok" : "degraded")","store":"\#(isUp ? "up" : "down")"}"#
        return Response.bytes(
            isUp ? .ok : .serviceUnavailable, Array(text.utf8), "application/json")
    }
}

extension QueueFlow {
    fileprivate var json: String {
        """
        {"oldestSeconds":\(oldestSeconds),"ready":\(ready),"leased":\(leased),"slots":\(slots),\
        "suggestedSlots":\(suggestedSlots)}
        """
    }
}
