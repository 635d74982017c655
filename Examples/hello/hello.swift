import Godwit
import GodwitSQLite

struct Greet: Job { let name: String }

@main struct Hello {
    static func main() async throws {
        let queue = Queue("hello", on: try await SQLiteBroker(path: "jobs.db"))
        try await queue.enqueue(Greet(name: "godwit"))
        try await Worker(queue) { $0.handle(Greet.self) { job, _ in print("Hello, \(job.name)!") } }.run()
    }
}
