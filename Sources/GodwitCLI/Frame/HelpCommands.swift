// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// `godwit help json`: the schemas of what is printed, made from the same tables that print it.
struct HelpJSON: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "help-json",
        abstract: "What -o json prints: schemas and fields.", shouldDisplay: false)
    @OptionGroup var store: StoreOptions

    func run() throws {
        let output = try store.output(SchemaRow.self)
        if store.format == .text {
            Talk.say(
                """
                One thing is one object with `schema`, its name and version. A list is one object: \
                `schema` (with .list), `items`, and where something was scanned `scanned`, \
                `complete` and `next` for --after. With jsonl every line is one thing. Times are ISO \
                8601 in UTC (--time unix: seconds); fields in _ms are milliseconds. A version rises \
                when a field goes or changes its meaning; new fields may come at any time.
                """)
        }
        try output.list(Schemas.all)
    }
}

/// `godwit help query`
struct HelpQuery: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "help-query", abstract: "How --where is written.", shouldDisplay: false)

    func run() throws {
        try Stdout.write(
            """
            A query is words with spaces between them; all must hold.

              state:dead queue:mail kind:mail.* error:"timed out" args.user.id:42 attempt>3 age>1h -key:HP1234

              field:value            equals; a,b is either; a value may end in *
              field>3 field:3..8     numbers, durations (90s 5m 1h 3d), moments (ISO 8601, or -1h)
              -field:value           not
              has:args.user          the field is there
              word "two words"       in the reason or the arguments

            Exact:     id queue kind state worker key unique tag verdict fingerprint trace
            Text:      error (the reason), a bare word
            Payload:   args.path.to.field
            Numbers:   attempt count lost generation size progress
            Durations: age wait run        Moments: inserted due executed finished

            At most 1,024 bytes, 32 words, 32 values. Every answer says what was scanned for it;
            --after goes on. On Redis a query without state or queue walks everything: name them.

            """)
    }
}

struct SchemaRow: Row {
    static let schema = "godwit.schema/1"
    static let columns: [Column<SchemaRow>] = [
        .text("name", "name and version") { $0.name },
        .text("commands", "what prints it") { $0.commands },
        .list("fields", "name, type and meaning") { row in
            row.fields.map { field in
                .object([
                    ("name", .text(field.0)), ("type", .text(field.1)), ("about", .text(field.2)),
                ])
            }
        },
    ]
    let name: String
    let commands: String
    let fields: [(String, String, String)]

    init<R: Row>(_ type: R.Type, _ commands: String) {
        name = R.schema
        self.commands = commands
        fields = R.columns.map { ($0.name, $0.type, $0.about) }
    }
}

enum Schemas {
    static var all: [SchemaRow] {
        [
            SchemaRow(QueueRow.self, "queue list"), SchemaRow(QueueDetail.self, "queue show"),
            SchemaRow(QueueState.self, "queue pause, queue resume"),
            SchemaRow(LimitsRow.self, "queue limits"), SchemaRow(TargetsRow.self, "queue targets"),
            SchemaRow(Purged.self, "queue purge"),
            SchemaRow(JobRow.self, "job list, dead list"),
            SchemaRow(MessageDetail.self, "job show, dead show"),
            SchemaRow(EventRow.self, "job tail"),
            SchemaRow(MovedRow.self, "job wait, job promote, job cancel; stream redrive, …"),
            SchemaRow(EditedRow.self, "job edit"), SchemaRow(Pruned.self, "job prune, dead prune"),
            SchemaRow(
                BulkRow.self, "every bulk verb with --dry-run; job cancel and promote --where"),
            SchemaRow(GroupRow.self, "dead groups, history groups"),
            SchemaRow(Redriven.self, "dead redrive"), SchemaRow(ExportRow.self, "dead export"),
            SchemaRow(WorkerRow.self, "worker list"), SchemaRow(WorkerDetail.self, "worker show"),
            SchemaRow(OrderRow.self, "worker quiet, resume, stop"),
            SchemaRow(RunLine.self, "history runs, history slowest; job show of an ended one"),
            SchemaRow(StatsRow.self, "history stats"), SchemaRow(RateRow.self, "history rate"),
            SchemaRow(AuditRow.self, "audit list"),
            SchemaRow(RuleRow.self, "alert list, add, remove, mute"),
            SchemaRow(OpenAlertRow.self, "alert groups"),
            SchemaRow(ChannelRow.self, "alert channels, alert channel"),
            SchemaRow(TrialRow.self, "alert test"),
            SchemaRow(TokenRow.self, "token list, token remove"),
            SchemaRow(NewTokenRow.self, "token add"),
            SchemaRow(ContextRow.self, "context list, use, add, remove"),
            SchemaRow(Enqueue.Accepted.self, "enqueue"), SchemaRow(Work.Summary.self, "work"),
            SchemaRow(StreamRow.self, "stream list, stream show"),
            SchemaRow(LaneRow.self, "stream keys"), SchemaRow(LaneDetail.self, "stream key"),
            SchemaRow(AppendedRow.self, "stream append"),
            SchemaRow(DroppedRow.self, "stream dropped"),
            SchemaRow(Doctor.Finding.self, "doctor"), SchemaRow(BenchReport.self, "bench"),
            SchemaRow(StreamBenchReport.self, "bench --mode stream"),
            SchemaRow(HistoryBenchReport.self, "bench history"),
            SchemaRow(BenchCodec.Report.self, "bench codec"),
            SchemaRow(SchemaRow.self, "help json"),
        ]
    }
}

/// `godwit completion bash|zsh|fish`
struct Completion: ParsableCommand {
    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    static let configuration = CommandConfiguration(
        abstract: "Print a script that lets your shell complete godwit's words.",
        discussion: """
            bash: godwit completion bash > ~/.local/share/bash-completion/completions/godwit
            zsh: godwit completion zsh > "${fpath[1]}/_godwit"
            fish: godwit completion fish > ~/.config/fish/completions/godwit.fish
            """)
    @Argument(help: "bash, zsh or fish.") var shell: Shell
    @OptionGroup var store: StoreOptions

    func run() throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        try Stdout.write(Main.completionScript(for: kind) + "\n")
    }
}
