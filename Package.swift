// swift-tools-version: 6.2
import PackageDescription

// Every upcoming feature with the proposal that explains it.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
]

// A trait that is off prunes its packages: they are neither resolved nor built.
let redis: TargetDependencyCondition? = .when(traits: ["Redis"])
let command: TargetDependencyCondition? = .when(traits: ["Command"])
let sqlite: TargetDependencyCondition? = .when(traits: ["SQLite"])
let monitor: TargetDependencyCondition? = .when(traits: ["Monitor"])
let http: TargetDependencyCondition? = .when(traits: ["HTTP"])
let grpc: TargetDependencyCondition? = .when(traits: ["GRPC"])
let ingest: TargetDependencyCondition? = .when(traits: ["Ingest"])

let package = Package(
    name: "godwit",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Godwit", targets: ["Godwit"]),
        .library(name: "GodwitStreams", targets: ["GodwitStreams"]),
        .library(name: "GodwitSQLite", targets: ["GodwitSQLite"]),
        .library(name: "GodwitRedis", targets: ["GodwitRedis"]),
        .library(name: "GodwitMonitor", targets: ["GodwitMonitor"]),
        .library(name: "GodwitHTTP", targets: ["GodwitHTTP"]),
        .library(name: "GodwitGRPC", targets: ["GodwitGRPC"]),
        .library(name: "GodwitPush", targets: ["GodwitPush"]),
        .library(name: "GodwitIngest", targets: ["GodwitIngest"]),
        .library(name: "AudioSignal", targets: ["AudioSignal"]),
        .library(name: "AWSClient", targets: ["AWSClient"]),
        .library(name: "FFmpeg", targets: ["FFmpeg"]),
        .library(name: "SigV4", targets: ["SigV4"]),
        .library(name: "GodwitTesting", targets: ["GodwitTesting"]),
        .library(name: "MessagePack", targets: ["MessagePack"]),
        .library(name: "RedisClient", targets: ["RedisClient"]),
        .executable(name: "godwit", targets: ["GodwitCLI"]),
        .executable(name: "hello", targets: ["hello"]),
        .executable(name: "file-digest", targets: ["file-digest"]),
        .executable(name: "print-fleet", targets: ["print-fleet"]),
        .executable(name: "newsletter", targets: ["newsletter"]),
        .executable(name: "fibonacci", targets: ["fibonacci"]),
        .executable(name: "audio-ingest", targets: ["audio-ingest"]),
    ],
    traits: [
        .trait(name: "SQLite", description: "The embedded broker: one file, nothing to install."),
        .trait(
            name: "Redis", description: "The distributed broker, and our Redis client on SwiftNIO."),
        .trait(
            name: "Monitor",
            description: "History in SQLite or ClickHouse, advice, alerts by webhook.",
            enabledTraits: ["SQLite"]),
        .trait(name: "HTTP", description: "/metrics and /scale as routes of Hummingbird."),
        .trait(
            name: "GRPC", description: "The door for other languages, and its Swift client.",
            enabledTraits: ["Monitor"]),
        .trait(
            name: "Ingest",
            description: "Object stores, S3, SQS and the audio tasks: from an upload to a track.",
            enabledTraits: ["Monitor"]),
        .trait(
            name: "Command", description: "The godwit command.",
            enabledTraits: ["SQLite", "Redis", "Monitor", "HTTP", "GRPC", "Ingest"]),
        .default(enabledTraits: ["SQLite"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/attaswift/BigInt", from: "6.0.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: ["JSON", "CommandLineArguments"]),
    ],
    targets: [
        .target(name: "MessagePack", swiftSettings: settings),
        .target(
            name: "Godwit",
            dependencies: [
                "MessagePack",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitStreams",
            dependencies: [
                "Godwit", "MessagePack",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(name: "CGodwitSQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(
            name: "GodwitSQLite",
            dependencies: [
                "Godwit", "CGodwitSQLite",
                .product(name: "GRDB", package: "GRDB.swift", condition: sqlite),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "RedisClient",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio", condition: redis),
                .product(name: "NIOPosix", package: "swift-nio", condition: redis),
                .product(name: "NIOSSL", package: "swift-nio-ssl", condition: redis),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitRedis",
            dependencies: [
                "Godwit", "RedisClient",
                .product(name: "NIOCore", package: "swift-nio", condition: redis),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Scripts")],
            swiftSettings: settings),
        .target(
            name: "GodwitMonitor",
            dependencies: [
                "CGodwitSQLite", "Godwit", "MessagePack",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: monitor),
                .product(name: "Crypto", package: "swift-crypto", condition: monitor),
                .product(name: "GRDB", package: "GRDB.swift", condition: monitor),
                .product(name: "Histogram", package: "hdrhistogram-swift", condition: monitor),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio", condition: monitor),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: monitor),
                .product(name: "NIOPosix", package: "swift-nio", condition: monitor),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitHTTP",
            dependencies: [
                "Godwit", "GodwitMonitor",
                .product(name: "Hummingbird", package: "hummingbird", condition: http),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: http),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        // Why apart: it is large, generated and seldom changes.
        .target(
            name: "GodwitProtos",
            dependencies: [
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: grpc),
                .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: grpc),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitGRPC",
            dependencies: [
                "Godwit", "GodwitProtos", "MessagePack",
                .product(name: "Crypto", package: "swift-crypto", condition: grpc),
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
                .product(
                    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport",
                    condition: grpc),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: grpc),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: grpc),
                .product(name: "NIOPosix", package: "swift-nio", condition: grpc),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: grpc),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitPush",
            dependencies: [
                "Godwit", "GodwitGRPC", "GodwitMonitor", "GodwitProtos",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: grpc),
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
                .product(
                    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport",
                    condition: grpc),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: grpc),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: grpc),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: grpc),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: grpc),
            ],
            swiftSettings: settings),
        .target(
            name: "SigV4",
            dependencies: [.product(name: "Crypto", package: "swift-crypto", condition: ingest)],
            swiftSettings: settings),
        .target(
            name: "AWSClient",
            dependencies: [
                "SigV4",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: ingest),
                .product(name: "Crypto", package: "swift-crypto", condition: ingest),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: ingest),
                .product(name: "NIOFoundationCompat", package: "swift-nio", condition: ingest),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: ingest),
                .product(name: "NIOPosix", package: "swift-nio", condition: ingest),
                .product(name: "_NIOFileSystem", package: "swift-nio", condition: ingest),
            ],
            swiftSettings: settings),
        // Why without dependencies: signals are arithmetic; whoever has samples can use it.
        .target(name: "AudioSignal", swiftSettings: settings),
        .target(
            name: "FFmpeg",
            dependencies: [
                "AudioSignal",
                .product(name: "Crypto", package: "swift-crypto", condition: ingest),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess", condition: ingest),
                .product(name: "SystemPackage", package: "swift-system", condition: ingest),
            ],
            swiftSettings: settings),
        .target(
            name: "GodwitIngest",
            dependencies: [
                "AWSClient", "AudioSignal", "FFmpeg", "Godwit", "GodwitMonitor",
                .product(
                    name: "Configuration", package: "swift-configuration", condition: ingest),
                .product(name: "Crypto", package: "swift-crypto", condition: ingest),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: ingest),
                .product(name: "NIOPosix", package: "swift-nio", condition: ingest),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system", condition: ingest),
            ],
            swiftSettings: settings),
        .target(name: "GodwitTesting", dependencies: ["Godwit"], swiftSettings: settings),
        .executableTarget(
            name: "GodwitCLI",
            dependencies: [
                "Godwit", "GodwitGRPC", "GodwitHTTP", "GodwitMonitor", "GodwitPush",
                "GodwitRedis", "GodwitSQLite", "GodwitStreams", "MessagePack", "RedisClient",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
                .product(name: "Crypto", package: "swift-crypto", condition: command),
                .product(
                    name: "Histogram", package: "hdrhistogram-swift", condition: command),
                .product(name: "Subprocess", package: "swift-subprocess", condition: command),
                .product(name: "SystemPackage", package: "swift-system", condition: command),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "hello", dependencies: ["Godwit", "GodwitSQLite"], path: "Examples/hello",
            swiftSettings: settings),
        .executableTarget(
            name: "file-digest",
            dependencies: [
                "Godwit", "GodwitSQLite",
                .product(name: "Crypto", package: "swift-crypto", condition: command),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
                .product(name: "Subprocess", package: "swift-subprocess", condition: command),
                .product(name: "SystemPackage", package: "swift-system", condition: command),
            ],
            path: "Examples/file-digest", swiftSettings: settings),
        .target(
            name: "PrintFleet", path: "Examples/print-fleet/PrintFleet", swiftSettings: settings),
        .executableTarget(
            name: "print-fleet",
            dependencies: [
                "Godwit", "GodwitRedis", "GodwitSQLite", "GodwitStreams", "PrintFleet",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
            ],
            path: "Examples/print-fleet/print-fleet", swiftSettings: settings),
        .target(
            name: "Mailing",
            dependencies: [
                "Godwit", "GodwitMonitor",
                .product(name: "Crypto", package: "swift-crypto", condition: command),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: command),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: command),
                .product(name: "NIOPosix", package: "swift-nio", condition: command),
            ],
            path: "Examples/newsletter/Mailing", swiftSettings: settings),
        .executableTarget(
            name: "newsletter",
            dependencies: [
                "Godwit", "GodwitMonitor", "GodwitRedis", "GodwitSQLite", "Mailing",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
                .product(name: "Subprocess", package: "swift-subprocess", condition: command),
                .product(name: "SystemPackage", package: "swift-system", condition: command),
            ],
            path: "Examples/newsletter/newsletter", swiftSettings: settings),
        .target(
            name: "FibonacciNumbers",
            dependencies: [
                .product(name: "BigInt", package: "BigInt", condition: command),
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: command),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: command),
                .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: command),
            ],
            path: "Examples/fibonacci/FibonacciNumbers", swiftSettings: settings),
        .executableTarget(
            name: "fibonacci",
            dependencies: [
                "FibonacciNumbers", "Godwit", "GodwitRedis", "GodwitSQLite",
                .product(name: "BigInt", package: "BigInt", condition: command),
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: command),
                .product(
                    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport",
                    condition: command),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
                .product(name: "Subprocess", package: "swift-subprocess", condition: command),
                .product(name: "SystemPackage", package: "swift-system", condition: command),
            ],
            path: "Examples/fibonacci/fibonacci", swiftSettings: settings),
        .executableTarget(
            name: "audio-ingest",
            dependencies: [
                "AWSClient", "AudioSignal", "FFmpeg", "Godwit", "GodwitIngest", "GodwitMonitor",
                "GodwitRedis", "GodwitSQLite",
                .product(
                    name: "ArgumentParser", package: "swift-argument-parser", condition: command),
                .product(
                    name: "Configuration", package: "swift-configuration", condition: command),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system", condition: command),
            ],
            path: "Examples/audio-ingest", swiftSettings: settings),
        .testTarget(
            name: "SigV4Tests",
            dependencies: ["SigV4"], swiftSettings: settings),
        .testTarget(
            name: "AWSClientTests",
            dependencies: [
                "AWSClient", "SigV4", "TestAWS",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: ingest),
                .product(name: "Crypto", package: "swift-crypto", condition: ingest),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: ingest),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: ingest),
                .product(name: "NIOPosix", package: "swift-nio", condition: ingest),
            ],
            swiftSettings: settings),
        // Why apart: a server that verifies signatures, one that fails, and moto, for three suites.
        .target(
            name: "TestAWS",
            dependencies: [
                "SigV4",
                .product(name: "Crypto", package: "swift-crypto", condition: ingest),
                .product(name: "NIOCore", package: "swift-nio", condition: ingest),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: ingest),
                .product(name: "NIOPosix", package: "swift-nio", condition: ingest),
            ],
            path: "Tests/TestAWS", swiftSettings: settings),
        .testTarget(
            name: "AudioSignalTests", dependencies: ["AudioSignal"],
            exclude: ["scripts"], swiftSettings: settings),
        .testTarget(
            name: "FFmpegTests",
            dependencies: [
                "AudioSignal", "FFmpeg",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess", condition: ingest),
                .product(name: "SystemPackage", package: "swift-system", condition: ingest),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitIngestTests",
            dependencies: [
                "AWSClient", "AudioSignal", "FFmpeg", "Godwit", "GodwitIngest", "GodwitMonitor",
                "GodwitSQLite", "GodwitTesting", "SigV4", "TestAWS",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: ingest),
                .product(
                    name: "Configuration", package: "swift-configuration", condition: ingest),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: ingest),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: ingest),
                .product(name: "NIOPosix", package: "swift-nio", condition: ingest),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system", condition: ingest),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "AudioIngestTests",
            // Why the program: it is run, and so must be built with the tests.
            dependencies: [
                "AudioSignal", "Godwit", "GodwitIngest", "GodwitSQLite", "TestAWS", "TestRedis",
                "audio-ingest",
                .product(name: "Subprocess", package: "swift-subprocess", condition: ingest),
                .product(name: "SystemPackage", package: "swift-system", condition: ingest),
            ],
            exclude: ["scripts"], swiftSettings: settings),
        .testTarget(
            name: "FibonacciTests",
            dependencies: [
                "FibonacciNumbers", .product(name: "BigInt", package: "BigInt", condition: command),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitGRPCTests",
            dependencies: [
                "Godwit", "GodwitGRPC", "GodwitProtos", "GodwitStreams", "GodwitTesting",
                "MessagePack",
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
                .product(
                    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport",
                    condition: grpc),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf", condition: grpc),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: grpc),
                .product(name: "NIOPosix", package: "swift-nio", condition: grpc),
                .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: grpc),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitPushTests",
            dependencies: [
                "Godwit", "GodwitMonitor", "GodwitProtos", "GodwitPush", "GodwitTesting",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: grpc),
                .product(name: "GRPCCore", package: "grpc-swift-2", condition: grpc),
                .product(
                    name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport",
                    condition: grpc),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: grpc),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: grpc),
                .product(name: "NIOPosix", package: "swift-nio", condition: grpc),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "MailingTests",
            dependencies: [
                "Godwit", "GodwitMonitor", "GodwitTesting", "Mailing",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: command),
                .product(name: "NIOCore", package: "swift-nio", condition: command),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: command),
                .product(name: "NIOPosix", package: "swift-nio", condition: command),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "PrintFleetTests", dependencies: ["PrintFleet"], exclude: ["scripts"],
            swiftSettings: settings),
        .testTarget(
            name: "MessagePackTests", dependencies: ["MessagePack"], swiftSettings: settings),
        .testTarget(
            name: "GodwitTests",
            dependencies: [
                "Godwit", "GodwitTesting", "MessagePack",
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitStreamsTests",
            dependencies: ["Godwit", "GodwitStreams", "GodwitTesting"], swiftSettings: settings),
        .testTarget(
            name: "GodwitMonitorTests",
            // Why the program: it is run, and so must be built with the tests.
            dependencies: [
                "ArchiveWorker", "Godwit", "GodwitMonitor", "GodwitRedis", "GodwitSQLite",
                "GodwitTesting", "MessagePack", "RedisClient", "TestRedis",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: monitor),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio", condition: monitor),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: monitor),
                .product(name: "NIOPosix", package: "swift-nio", condition: monitor),
            ],
            exclude: ["Metrics/golden"],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitHTTPTests",
            dependencies: [
                "Godwit", "GodwitHTTP", "GodwitMonitor", "GodwitTesting", "TestRedis",
                .product(name: "AsyncHTTPClient", package: "async-http-client", condition: http),
                .product(name: "Hummingbird", package: "hummingbird", condition: http),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(name: "TestRedis", path: "Tests/TestRedis", swiftSettings: settings),
        .testTarget(
            name: "CommandTests",
            // Why the programs: they are run, and so must be built with the tests.
            dependencies: [
                "Godwit", "GodwitCLI", "GodwitMonitor", "GodwitSQLite", "TestRedis", "fibonacci",
                "file-digest", "hello", "newsletter", "print-fleet",
                .product(name: "Crypto", package: "swift-crypto", condition: command),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "BrokerContractTests",
            dependencies: [
                "Godwit", "GodwitGRPC", "GodwitRedis", "GodwitSQLite", "GodwitTesting",
                "TestRedis",
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "ArchiveWorker",
            dependencies: [
                "Godwit", "GodwitMonitor", "GodwitSQLite",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/ArchiveWorker", swiftSettings: settings),
        .executableTarget(
            name: "CrashWorker",
            dependencies: [
                "Godwit", "GodwitRedis", "GodwitSQLite", "GodwitStreams", "GodwitTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Tests/CrashWorker", swiftSettings: settings),
        .testTarget(
            name: "CrashTests",
            // Why the program: it is run, and so must be built with the tests.
            dependencies: [
                "CrashWorker", "Godwit", "GodwitRedis", "GodwitSQLite", "GodwitStreams",
                "TestRedis",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitRedisTests",
            dependencies: [
                "Godwit", "GodwitRedis", "GodwitTesting", "RedisClient", "TestRedis",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio", condition: redis),
                .product(name: "NIOPosix", package: "swift-nio", condition: redis),
            ],
            exclude: ["scripts"],
            swiftSettings: settings),
        .testTarget(
            name: "GodwitSQLiteTests",
            dependencies: [
                "Godwit", "GodwitSQLite", "GodwitTesting",
                .product(name: "GRDB", package: "GRDB.swift", condition: sqlite),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GuideTests",
            dependencies: [
                "Godwit", "GodwitRedis", "GodwitSQLite", "GodwitStreams", "GodwitTesting",
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ModelTests",
            dependencies: ["Godwit", "GodwitRedis", "GodwitSQLite", "GodwitTesting", "TestRedis"],
            swiftSettings: settings),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "RedisClient", "TestRedis",
                .product(name: "NIOCore", package: "swift-nio", condition: redis),
                .product(name: "NIOPosix", package: "swift-nio", condition: redis),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
    ]
)
